"""Orders of people about many deliveries at once: carried out batch by batch, each with its
progress in one transaction.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from deliveries.backends import maillog
from deliveries.models import Lane, Order
from deliveries.queue.wakeups import notify_now
from deliveries.steering import order_statements, pauses
from deliveries.steering.selection import Selection, count
from domains.foundation import sql
from domains.models import ItemKind
from domains.operations.isolation import failed, guarded, is_free, is_outage

logger = logging.getLogger(__name__)

BATCH = 2000
AT_ONCE = 1000  # a smaller order is carried out while the person waits
# What an agent has in hand is left to it, and looked at again when it has come back; a transaction
# takes no longer.
PATIENCE = timedelta(minutes=35)


@dataclass(slots=True)
class Position:
    """Where an order stands: the last delivery it looked at, and those that were in an agent's
    hand then.
    """

    after: list[str] | None = None
    in_hand: list[str] = field(default_factory=list)
    walked_at: str = ""  # when the walk was over

    @classmethod
    def of(cls, order: Order) -> Position:
        return cls(**order.position) if order.position else cls()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def give(
    verb: str,
    selection: Selection,
    *,
    reason: str,
    by: str,
    parameters: dict[str, Any] | None = None,
    begins: bool = True,
) -> Order:
    """Give an order about what waits now, not about what comes later.

    With `begins` a small one is done when this transaction is over.
    """
    order = Order(verb=verb, reason=reason, created_by=by, parameters=parameters or {})
    meant = selection.accepted_before(timezone.now() + timedelta(seconds=1))
    order.selection, order.expected = meant.as_json(), count(meant)
    order.save(force_insert=True)
    if begins:
        transaction.on_commit(partial(_begin, order.pk, order.expected))
    return order


def stop(order: Order) -> bool:
    """Go no further; what is done stays done. False where it was finished already."""
    now = timezone.now()
    return bool(
        Order.objects.filter(pk=order.pk, finished_at__isnull=True).update(
            stopped_at=now, finished_at=now
        )
    )


def is_walked(order: Order) -> bool:
    """Tell whether all was looked at once."""
    return bool(Position.of(order).walked_at)


def in_hand(order: Order) -> int:
    """Count the order's deliveries that were being sent when they were looked at last."""
    return len(Position.of(order).in_hand) if order.finished_at is None else 0


def stopped(selection: Selection) -> int:
    """Count those of the selection that wait for a person, however often they are tried."""
    condition, values = selection.condition()
    return int(sql.value(order_statements.STOPPED.format(condition=condition), values))


def facts(order: Order) -> dict[str, Any]:
    """Return what the audit log keeps of an order."""
    return {
        "verb": order.verb,
        "selection": order.selection,
        "parameters": order.parameters,
        "selected": order.expected,
    }


def forced_lane(host: str, port: int, tls: str) -> Lane:
    """Return the lane of the deliveries that an order leads to this host; no route shares it."""
    site = f"forced:{host}:{port}:{tls}"
    given = {"hosts": [[0, host, port]], "tls": tls, "is_routed": True, "is_forced": True}
    return Lane.objects.get_or_create(site=site, source=settings.EKIDEN_SOURCE, defaults=given)[0]


def carry_out_all(*, seconds: float) -> bool:
    """Carry out all unfinished orders, the oldest first; return False where `seconds` were too
    short.
    """
    until = time.monotonic() + seconds
    for pk in (
        Order.objects.filter(is_free(ItemKind.ORDER), finished_at__isnull=True)
        .order_by("id")
        .values_list("pk", flat=True)
    ):
        if time.monotonic() >= until:
            return False
        with guarded(ItemKind.ORDER, pk):
            carry_out(pk, until=until, on_progress=_log_end)
    return time.monotonic() < until


def _log_end(order: Order) -> None:
    if order.finished_at is not None:
        logger.info(
            "event=ordered order=%d verb=%s by=%r done=%d",
            order.pk,
            order.verb,
            order.created_by,
            order.done,
        )


def carry_out(
    pk: int,
    *,
    until: float | None = None,
    on_progress: Callable[[Order], None] = lambda order: None,
) -> None:
    """Go on with an order, until it is finished, or what is left of it is in agents' hands, or
    it is late.
    """
    while until is None or time.monotonic() < until:
        stepped = _step(pk)
        if stepped is None:
            return
        order, lanes, may_go_on = stepped
        if lanes:
            notify_now(lanes)
        on_progress(order)
        if not may_go_on:
            return


@transaction.atomic
def _step(pk: int) -> tuple[Order, list[int], bool] | None:
    """Carry out one batch; return None where the order is finished or another process is at it."""
    order = (
        Order.objects.select_for_update(skip_locked=True)
        .filter(pk=pk, finished_at__isnull=True)
        .first()
    )
    if order is None:
        return None
    position = Position.of(order)
    lanes = _come_back(order, position) if position.walked_at else _walk(order, position)
    has_more = not position.walked_at
    if not has_more and (not position.in_hand or _is_patience_over(position)):
        order.finished_at = timezone.now()
    order.position, order.touched_at = position.as_json(), timezone.now()
    order.save(update_fields=["seen", "done", "position", "touched_at", "finished_at"])
    return order, lanes, has_more and order.finished_at is None


def _walk(order: Order, position: Position) -> list[int]:
    condition, values = Selection.of_json(order.selection).condition()
    if position.after is not None:
        condition += (
            " AND (mail.expires_at, mail.id) > (%(after_time)s::timestamptz, %(after_id)s::uuid)"
        )
        values |= {"after_time": position.after[0], "after_id": position.after[1]}
    looked = _batch(order, condition, values)
    order.seen += looked.seen
    position.in_hand += looked.in_hand
    position.after = looked.last or position.after
    if looked.seen < BATCH:
        position.walked_at = timezone.now().isoformat()
    return looked.lanes


def _come_back(order: Order, position: Position) -> list[int]:
    """Come back to what was in hand at first: still there, has come back, or has ended by itself.

    Return the lanes to wake.
    """
    now, later = position.in_hand[:BATCH], position.in_hand[BATCH:]
    looked = _batch(order, "mail.id = ANY(%(in_hand)s::uuid[])", {"in_hand": now})
    position.in_hand = later + looked.in_hand
    return looked.lanes


@dataclass(frozen=True, slots=True)
class _Looked:
    seen: int
    done: int
    in_hand: list[str]
    last: list[str] | None
    lanes: list[int]


def _batch(order: Order, condition: str, values: dict[str, Any]) -> _Looked:
    """Act on a batch with one statement; where that fails, on each delivery alone, and put aside
    what fails.
    """
    try:
        with transaction.atomic():
            looked = _act(order, condition, values)
    except Exception as error:
        if is_outage(error):
            raise
        logger.warning(
            "order=%d a batch failed; each delivery is tried alone", order.pk, exc_info=error
        )
        looked = _one_by_one(order, condition, values)
    order.done += looked.done
    return looked


def _act(order: Order, condition: str, values: dict[str, Any]) -> _Looked:
    given = values | {
        "most": BATCH,
        "to": order.parameters.get("lane", Lane.ROUTING),
        "why": order.reason,
    }
    [(*looked, ended)] = sql.rows(order_statements.statement(order.verb, condition), given)
    if ended:
        outcome, _code, words = order_statements.ENDINGS[Order.Verb(order.verb)]
        maillog.ended_later(
            json.loads(ended), outcome=outcome, stage="operator", text=words + order.reason
        )
    return _Looked(*looked)


def _one_by_one(order: Order, condition: str, values: dict[str, Any]) -> _Looked:
    members = sql.rows(
        order_statements.MEMBERS.format(condition=condition), values | {"most": BATCH}
    )
    done, in_hand, lanes = 0, [], set()
    for _, id_ in members:
        try:
            with transaction.atomic():
                looked = _act(order, "mail.id = %(id)s::uuid", {"id": id_})
        except Exception as error:
            if is_outage(error):
                raise
            failed(ItemKind.ORDER, f"{order.pk} {id_}", error, most=1)
            continue
        done += looked.done
        in_hand += looked.in_hand
        lanes |= set(looked.lanes)
    return _Looked(len(members), done, in_hand, list(members[-1]) if members else None, list(lanes))


def _is_patience_over(position: Position) -> bool:
    return timezone.now() - datetime.fromisoformat(position.walked_at) > PATIENCE


def _begin(pk: int, expected: int) -> None:
    if expected < AT_ONCE:
        carry_out(pk)
    pauses.call_worker()
