"""A connection to PostgreSQL for asyncio code: opened when needed, opened again when it broke."""

from __future__ import annotations

import asyncio
import logging
import select
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
from django.db import connection

from domains.foundation.process import postgres_session

Result = TypeVar("Result")
Row = tuple[Any, ...]  # what a statement returns is known to its caller only
Connection = psycopg.AsyncConnection[Row]

logger = logging.getLogger(__name__)

# A statement of ours takes milliseconds. One that takes this long meets a stopped server or a lost
# network, and the work is better answered with "try again" than kept waiting (an SMTP client waits
# ten minutes for its 250).
PATIENCE = 30.0

# psycopg counts these as the server's trouble, but the same statement would meet them for ever.
STATEMENTS_OWN = (psycopg.errors.ProgramLimitExceeded, psycopg.errors.StatementTooComplex)
# The server's trouble, whatever psycopg counts them as. A standby after a failover refuses to
# write, and so does a server whose full disk has made its provider set
# `default_transaction_read_only`.
SERVERS_OWN = (
    psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction,
)  # fmt: skip


class DatabaseUnavailable(Exception):
    """PostgreSQL did not carry out the work; whether it was committed is unknown."""


class Database:
    """One connection, used by one task at a time, in autocommit: each statement is a transaction
    of its own.
    """

    def __init__(self, name: str, *, patience: float = PATIENCE, is_durable: bool = True) -> None:
        """Prepare a connection, which the first statement opens; `patience` is in seconds.

        `is_durable` makes each statement wait until it is on disk. Switch it off only for hints
        that a crash of PostgreSQL may take away.
        """
        self._name = name
        self._is_durable = is_durable
        self._patience = patience
        self._in_use = asyncio.Lock()
        self._connection: Connection | None = None

    async def run(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Return the result of `work(connection)`.

        Raise `DatabaseUnavailable` where the server is the trouble. Errors of the statement itself
        (bad data, a violated constraint) are raised as psycopg's own.
        """
        async with self._in_use:
            try:
                async with asyncio.timeout(self._patience):
                    return await work(await self._open())
            except STATEMENTS_OWN:
                raise
            except (*SERVERS_OWN, OSError, TimeoutError) as error:
                await self._drop()
                raise DatabaseUnavailable(str(error).strip() or type(error).__name__) from error
            except asyncio.CancelledError:
                await self._drop()  # a half-read answer must not meet the next caller
                raise

    async def fetch(
        self,
        sql: str,
        parameters: dict[str, Any] | None = None,
        *,
        is_binary: bool = False,
    ) -> list[Row]:
        """Return all rows of one statement. `is_binary` has values sent as the server holds them,
        which is cheaper for large contents.
        """

        async def work(connection: Connection) -> list[Row]:
            cursor = await connection.execute(sql, parameters, binary=is_binary)
            return await cursor.fetchall() if cursor.description else []

        return await self.run(work)

    async def close(self) -> None:
        async with self._in_use:
            await self._drop()

    async def _open(self) -> Connection:
        if self._connection is not None and has_ended(self._connection):
            await self._drop()
        if self._connection is None:
            self._connection = await self._connect()
            await self._connection.execute(
                postgres_session.PROMISES,
                {"synchronous_commit": "on" if self._is_durable else "off"},
            )
        return self._connection

    async def _connect(self) -> Connection:
        """Connect; a caller that goes away meanwhile leaves no connection behind."""
        opening = asyncio.ensure_future(
            psycopg.AsyncConnection.connect(
                **parameters(), application_name=self._name, autocommit=True
            )
        )
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_hang_up)
            raise

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Only the socket: a polite goodbye would wait for the very server that does not answer.
            connection.pgconn.finish()


def _hang_up(opening: asyncio.Future[Connection]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().pgconn.finish()


def has_ended(connection: Connection) -> bool:
    """Tell if the server has hung up since the last statement, which nobody was there to notice.

    Between two statements of ours the server says nothing, so that anything to be read is its last
    word. Seen before a statement is sent, that is no doubt about a commit but only a reason to
    connect again; it costs 2 µs.
    """
    if connection.closed:
        return True
    looking = select.poll()
    looking.register(connection.fileno(), select.POLLIN)
    return bool(looking.poll(0))


def parameters() -> dict[str, Any]:
    """Return Django's database settings as libpq's parameters, with a test database's name."""
    given = connection.settings_dict
    known = {
        "dbname": given["NAME"],
        "user": given["USER"],
        "password": given["PASSWORD"],
        "host": given["HOST"],
        "port": given["PORT"],
    }
    return {name: value for name, value in known.items() if value} | dict(given["OPTIONS"])
