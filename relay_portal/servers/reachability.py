"""Waits for PostgreSQL and Valkey, as long as waiting can help; else says in the server's own
words why it cannot.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import Error, connection
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    RedisError,
    ResponseError,
)

from deliveries.backends import job_queues
from domains.foundation import sql
from domains.foundation.command import CommandError
from domains.foundation.text.texts import clean

PATIENCE = 60.0  # seconds for a server: after a crash PostgreSQL replays its log first
SILENCE = 3.0  # seconds until people are told what is waited for
VALKEY_PATIENCE = 2.0
NOT_LIBPQS = {"context", "cursor_factory", "prepare_threshold"}
# What libpq says of a server that is not there yet. A name may come later, too: that of a container
# that starts beside us.
PASSING = (
    "connection refused", "no such file or directory", "timeout", "timed out",
    "could not translate host name", "no route to host",
    "network is unreachable", "reset by peer", "closed the connection unexpectedly",
    "too many clients", "remaining connection slots",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ServerTrouble:
    """Why a server cannot be used now; `is_passing`: that can change while we wait."""

    words: str
    is_passing: bool


def wait_for_database(say: Callable[[str], object], patience: float = PATIENCE) -> None:
    """Return when PostgreSQL takes us; raises `CommandError`, at once where waiting is in vain."""
    _wait(
        "PostgreSQL",
        without_password(settings.DATABASE_URL),
        "DATABASE_URL",
        database_trouble,
        say,
        patience,
    )


def wait_for_valkey(say: Callable[[str], object], patience: float = PATIENCE) -> None:
    """Return when Valkey takes us; raises `CommandError`, at once where waiting is in vain."""
    _wait(
        "Valkey", without_password(settings.REDIS_URL), "REDIS_URL", valkey_trouble, say, patience
    )


def database_trouble() -> ServerTrouble | None:
    """Return why PostgreSQL does not take us; None when it does."""
    try:
        sql.run("SELECT 1")
    except Error as error:
        connection.close()
        text = str(error).strip() or "no answer"
        return ServerTrouble(
            _words(text), _is_starting() or any(phrase in text.lower() for phrase in PASSING)
        )
    return None


def valkey_trouble() -> ServerTrouble | None:
    """Return why Valkey does not take us; None when it does."""
    try:
        with job_queues.connect(patience=VALKEY_PATIENCE) as valkey:
            valkey.ping()
    except RedisError as error:
        is_refused = isinstance(error, (AuthenticationError, AuthorizationError, ResponseError))
        is_refused |= any(
            isinstance(cause, ssl.SSLError) for cause in (error.__cause__, error.__context__)
        )
        return ServerTrouble(
            _words(str(error)), isinstance(error, BusyLoadingError) or not is_refused
        )
    return None


def without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://…@{tail}" if at else url


def _wait(
    name: str,
    place: str,
    variable: str,
    look: Callable[[], ServerTrouble | None],
    say: Callable[[str], object],
    patience: float,
) -> None:
    begun, is_told = time.monotonic(), False
    while (trouble := look()) is not None:
        if not trouble.is_passing:
            raise CommandError(f"{name} at {place} refuses: {trouble.words} ({variable})")
        waited = time.monotonic() - begun
        if waited > patience:
            raise CommandError(f"{name} does not answer at {place}: {trouble.words} ({variable})")
        if waited > SILENCE and not is_told:
            say(f"Waiting for {name} at {place}: {trouble.words}")
            is_told = True
        time.sleep(0.1)


def _is_starting() -> bool:
    """Tell if PostgreSQL itself refuses everybody for now. libpq judges by the code, which has no
    language.
    """
    given = {
        name: value
        for name, value in connection.get_connection_params().items()
        if name not in NOT_LIBPQS
    }
    return PGconn.ping(make_conninfo(**given).encode()) == Ping.REJECT


def _words(text: str) -> str:
    """Return the server's own words, without what libpq puts before them."""
    return clean(" ".join(text.partition("\n")[0].rpartition(" failed: ")[2].split()))
