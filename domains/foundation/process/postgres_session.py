"""What PostgreSQL does with a connection of ours, whatever settings say; `250` promises no more
than that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

# Said after connecting and not in the options of the start, which PgBouncer refuses or, told to,
# throws away. `250` means on disk, whatever a role, a database or the server has set; and the hours
# of a statistic are the same on all machines.
PROMISES = (
    "SELECT set_config('synchronous_commit', %(synchronous_commit)s, false), "
    "set_config('TimeZone', 'UTC', false)"
)
DURABLE = {"synchronous_commit": "on"}
NEEDED_VERSION = 150_000  # 15: UNIQUE NULLS NOT DISTINCT
LOOKS = 4  # at the backend of one connection while another holds a transaction open
FACTS = """
SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
    current_setting('synchronous_commit'),
    current_setting('fsync'), current_setting('full_page_writes'), current_setting('TimeZone'),
    pg_is_in_recovery() OR current_setting('transaction_read_only')::bool
"""


class UnsafeDatabase(ValueError):
    """PostgreSQL, or what stands before it, breaks a promise; the text tells the operator which,
    and what to do.
    """


class ReadOnlyDatabase(OperationalError):
    """Nothing can be written now: a standby, or a server in the middle of a failover.

    As good as out of reach.
    """


@dataclass(frozen=True, slots=True)
class Facts:
    version: int
    encoding: str
    synchronous_commit: str
    fsync: str
    full_page_writes: str
    time_zone: str
    is_read_only: bool
    is_pooled: bool


@dataclass(frozen=True, slots=True)
class SessionTrouble:
    """What is wrong and what to do; `may_be_meant` where EKIDEN_MAY_LOSE_MAIL lets a process start
    in spite of it.
    """

    text: str
    advice: str
    may_be_meant: bool = False


def demand() -> None:
    """Return where a process may rely on PostgreSQL.

    Raises `UnsafeDatabase` in one line, and `OperationalError` for want of a server.
    """
    facts = ask()
    for trouble in troubles(facts):
        if not (trouble.may_be_meant and settings.EKIDEN_MAY_LOSE_MAIL == "yes"):
            raise UnsafeDatabase(f"{trouble.text} {trouble.advice}")
    if facts.is_read_only:
        raise ReadOnlyDatabase("it is read-only (a standby?)")


def troubles(facts: Facts) -> Iterator[SessionTrouble]:
    if facts.is_pooled:
        yield SessionTrouble(
            "A pooler gives one connection several PostgreSQL backends (PgBouncer: pool_mode = "
            "transaction or statement).",
            "Let it use pool_mode = session, or connect directly.",
        )
    if facts.version < NEEDED_VERSION:
        yield SessionTrouble(
            f"PostgreSQL's version is {facts.version // 10_000}.", "15 or newer is needed."
        )
    if facts.encoding != "UTF8":
        yield SessionTrouble(
            f"The database is encoded in {facts.encoding}.",
            "Make one with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
        )
    if facts.synchronous_commit != "on":
        yield SessionTrouble(
            f"synchronous_commit stays {facts.synchronous_commit} after Ekiden has switched it "
            "on for its own connection.",
            "Connect directly: what stands before PostgreSQL drops it, and a crash would lose "
            "mail that was answered 250.",
        )
    if facts.time_zone != "UTC":
        yield SessionTrouble(
            f"The time zone stays {facts.time_zone} after Ekiden has set UTC for its own "
            "connection.",
            "Connect directly.",
        )
    for name, value in (("fsync", facts.fsync), ("full_page_writes", facts.full_page_writes)):
        if value != "on":
            yield SessionTrouble(
                f"PostgreSQL does not write safely: {name} is {value}.",
                "Switch it on: without it a crash loses mail that was answered 250.",
                may_be_meant=True,
            )


def ask() -> Facts:
    """Ask over Django's connection, which is made as all others are.

    Raises Django's `DatabaseError`.
    """
    is_pooled = _has_several_backends()
    version, encoding, commit, fsync, pages, zone, is_read_only = _row(connection, FACTS)
    return Facts(version, encoding, commit, fsync, pages, zone, is_read_only, is_pooled)


def promise(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Receive `connection_created`: Django's connections are as durable as those of
    `deliveries.backends.database`.
    """
    _row(connection, PROMISES, DURABLE)


def _has_several_backends() -> bool:
    """Tell whether two transactions of one connection may meet two backends.

    A second connection opens a transaction and holds it. Behind a pooler it either gets the first
    one's backend, or that one gets another as it goes on; directly, or pooled by session, both keep
    their own. One backend free makes the pooler choose the one that was used last; where it takes
    turns instead, a few looks see the turn.
    """
    first = _backend(connection)
    second = connection.copy()
    try:
        second.set_autocommit(False)
        return _backend(second) == first or any(_backend(connection) != first for _ in range(LOOKS))
    except DatabaseError as error:
        # PgBouncer's own words for a transaction of several statements.
        if "statement pooling" in str(error):
            return True
        raise
    finally:
        second.close()


def _backend(asked: BaseDatabaseWrapper) -> int:
    return int(_row(asked, "SELECT pg_backend_pid()")[0])


def _row(
    asked: BaseDatabaseWrapper, sql: str, parameters: dict[str, str] | None = None
) -> tuple[Any, ...]:
    with asked.cursor() as cursor:
        cursor.execute(sql, parameters)
        return tuple(cursor.fetchone())
