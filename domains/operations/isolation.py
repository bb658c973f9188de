"""Keeps one bad item from stopping a queue: it fails alone, waits, and is put aside after the
third failure.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import psycopg
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, OuterRef, Q, TextField
from django.db.models.expressions import NegatedExpression
from django.db.models.functions import Cast, Now
from redis.exceptions import RedisError

from domains.foundation import sql
from domains.foundation.text.texts import storable
from domains.models import ItemKind, SetAside
from domains.operations import audit

logger = logging.getLogger("ekiden.mail")

Id = TypeVar("Id")
Result = TypeVar("Result")

ACTOR = "isolation"
MOST_FAILURES = 3
WAITS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))  # after each failure
TRACEBACK_MOST = 20_000  # characters

# psycopg counts these as the server's trouble, but the same statement would meet them for ever.
STATEMENTS_OWN = (psycopg.errors.ProgramLimitExceeded, psycopg.errors.StatementTooComplex)

# What a loop's query says of its item, whose id is `{id}`; the table is empty while all is well.
_PASSED_OVER = """NOT EXISTS (
    SELECT FROM domains_setaside aside WHERE aside.kind = '{kind}' AND aside.key = ({id})::text
      AND (aside.set_aside_at IS NOT NULL OR aside.retry_at > now()))"""

# One statement for a failure and for an item that is begun; `%(lasting)s`: it may be put aside.
NOTE = """
INSERT INTO domains_setaside AS known (kind, key, failures, first_failed_at, last_failed_at,
    retry_at, traceback, set_aside_at)
VALUES (%(kind)s, %(key)s, 1, now(), now(), now() + (%(waits)s::interval[])[1], %(traceback)s,
        CASE WHEN %(lasting)s AND %(most)s <= 1 THEN now() END)
ON CONFLICT (kind, key) DO UPDATE SET
    failures = least(known.failures + 1, 32767), last_failed_at = now(),
        traceback = EXCLUDED.traceback,
    retry_at = now() + (%(waits)s::interval[])[least(known.failures + 1,
        cardinality(%(waits)s::interval[]))],
    set_aside_at = CASE WHEN %(lasting)s AND known.failures + 1 >= %(most)s
        THEN coalesce(known.set_aside_at, now()) END
RETURNING failures, set_aside_at IS NOT NULL
"""
EXPLAIN = """
UPDATE domains_setaside SET traceback = %(traceback)s WHERE kind = %(kind)s AND key = %(key)s
RETURNING failures, set_aside_at IS NOT NULL
"""


def passed_over(kind: ItemKind, *, id: str) -> str:
    """Return the condition by which a query leaves out what waits or is put aside.

    `id` is an SQL expression of our own.
    """
    return _PASSED_OVER.format(kind=kind.value, id=id)


def is_free(kind: ItemKind) -> NegatedExpression[Any]:
    """Build the condition for items that are neither put aside nor waiting after a failure."""
    barred = SetAside.objects.filter(
        Q(set_aside_at__isnull=False) | Q(retry_at__gt=Now()),
        kind=kind,
        key=Cast(OuterRef("pk"), TextField()),
    )
    return ~Exists(barred)


def is_outage(error: BaseException) -> bool:
    """Tell whether the trouble is PostgreSQL's or Valkey's, and no fault of the item."""
    if isinstance(error, RedisError):
        return True
    if isinstance(error.__cause__, psycopg.errors.ReadOnlySqlTransaction):
        return True
    return isinstance(error, OperationalError | InterfaceError) and not isinstance(
        error.__cause__, STATEMENTS_OWN
    )


@contextmanager
def isolated(
    kind: ItemKind,
    key: object,
    *,
    lasting: bool = True,
    may_kill: bool = False,
    most: int = MOST_FAILURES,
) -> Iterator[None]:
    """Handle one item in a transaction of its own; what it raises is written down, and the caller
    goes on.

    An outage is raised. With `most` failures the item is put aside, without `lasting` never.
    `may_kill`: the item may end the worker itself (memory, a fault of a library in C), so it is
    written down before it is begun, and forgotten when it is done.
    """
    if may_kill:
        _write(
            NOTE,
            values(kind, key, "The worker ended during this item.", lasting=lasting, most=most),
        )
    try:
        with transaction.atomic():
            yield
            SetAside.objects.filter(kind=kind, key=str(key)).delete()
    except Exception as error:
        if is_outage(error):
            raise
        failures, is_aside = _write(
            EXPLAIN if may_kill else NOTE,
            values(kind, key, text_of(error), lasting=lasting, most=most),
        )
        tell(kind, key, error, failures=failures, is_aside=is_aside)


def together_or_alone(
    kind: ItemKind,
    ids: Sequence[Id],
    work: Callable[[Sequence[Id]], Result],
    *,
    most: int = MOST_FAILURES,
) -> list[Result]:
    """Do `work` for all in one transaction; where that fails, for each in one of its own.

    Returns what each call returned.

    Give 1 for `most` where nobody comes back to what has failed: it is put aside at once.
    """
    try:
        with transaction.atomic():
            done = work(ids)
            SetAside.objects.filter(kind=kind, key__in=[str(id_) for id_ in ids]).delete()
        return [done]
    except Exception as error:
        if is_outage(error):
            raise
        logger.warning(
            "event=item-failed kind=%s items=%d; each is tried alone",
            kind.value,
            len(ids),
            exc_info=error,
        )
    results = []
    for id_ in ids:
        with isolated(kind, id_, most=most):
            results.append(work([id_]))
    return results


@contextmanager
def guarded(
    kind: ItemKind, key: object, *, lasting: bool = True, most: int = MOST_FAILURES
) -> Iterator[None]:
    """Isolate an item as `isolated` does, without a transaction: the item has its own."""
    try:
        yield
        SetAside.objects.filter(kind=kind, key=str(key)).delete()
    except Exception as error:
        if is_outage(error):
            raise
        failed(kind, key, error, lasting=lasting, most=most)


def step(name: str) -> AbstractContextManager[None]:
    """Do one part of a job, so that the parts behind it are done whatever it raises; it comes
    again with the job.
    """
    return guarded(ItemKind.STEP, name, lasting=False)


def failed(
    kind: ItemKind,
    key: object,
    error: BaseException,
    *,
    lasting: bool = True,
    most: int = MOST_FAILURES,
) -> None:
    """Write down a failure; with `most` of them the item is put aside."""
    failures, is_aside = _write(NOTE, values(kind, key, text_of(error), lasting=lasting, most=most))
    tell(kind, key, error, failures=failures, is_aside=is_aside)


def begin_again(kind: ItemKind, key: object) -> bool:
    """Write down that the worker ended during this item, before it is begun again; true where that
    was once too often.

    What the item then does ends the note: `guarded` and `isolated` when it is done, `progressed`
    when it has come further.
    """
    _, is_aside = _write(NOTE, values(kind, key, "The worker ended during this item."))
    if is_aside:
        tell(
            kind,
            key,
            RuntimeError("the worker ended during this item again and again"),
            failures=MOST_FAILURES,
            is_aside=True,
        )
    return is_aside


def progressed(kind: ItemKind, key: object) -> None:
    """Forget the failures of an item: it does not end the worker at this place."""
    SetAside.objects.filter(kind=kind, key=str(key)).delete()


def may_begin(kind: ItemKind, key: object) -> bool:
    """Tell whether an item may begin: not while it waits after a failure, or is put aside."""
    return not SetAside.objects.filter(
        Q(set_aside_at__isnull=False) | Q(retry_at__gt=Now()), kind=kind, key=str(key)
    ).exists()


def tell(
    kind: ItemKind, key: object, error: BaseException, *, failures: int, is_aside: bool
) -> None:
    """Log the failure, and write into the audit log that the item is put aside."""
    log(kind, key, error, failures=failures, is_aside=is_aside)
    row = SetAside.objects.filter(kind=kind, key=str(key)).first() if is_aside else None
    if row is not None:
        audit.note(ACTOR, "set_aside", row, reason=audit.one_line(str(error)))


def log(
    kind: ItemKind, key: object, error: BaseException, *, failures: int, is_aside: bool
) -> None:
    logger.error(
        "event=item-failed kind=%s key=%s failures=%d", kind.value, key, failures, exc_info=error
    )
    if is_aside:
        logger.error("event=set-aside kind=%s key=%s failures=%d", kind.value, key, failures)


def values(
    kind: ItemKind, key: object, text: str, *, lasting: bool = True, most: int = MOST_FAILURES
) -> dict[str, Any]:
    """Return the parameters of `NOTE`, also for code with a connection of its own."""
    return {
        "kind": kind.value, "key": str(key), "traceback": text, "lasting": lasting, "most": most,
        "waits": list(WAITS),
    }  # fmt: skip


def text_of(error: BaseException) -> str:
    """Return the traceback, fit for the database and of a bearable length.

    Of a long one the end tells.
    """
    return storable("".join(traceback.format_exception(error)))[-TRACEBACK_MOST:]


def _write(statement: str, given: dict[str, Any]) -> tuple[int, bool]:
    [(failures, is_aside)] = sql.rows(statement, given) or [(0, False)]
    return failures, is_aside
