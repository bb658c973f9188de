"""Orders from the command line: given, carried out while the person waits, and summed up."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from django.core.management.base import OutputWrapper
from django.db import transaction

from deliveries.backends import maillog
from deliveries.models import Order
from deliveries.steering import orders
from deliveries.steering.selection import Selection
from domains.operations import audit

SHOW_EVERY = 0.2  # seconds


@dataclass(frozen=True, slots=True)
class OrderResult:
    """What came of an order; `in_hand` were being sent and are looked at again by the maintenance
    worker.
    """

    order: int
    selected: int
    done: int
    in_hand: int
    is_finished: bool
    stopped: int = 0  # of those to be tried: held back by a person, a pause or a closed lane

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def carry_out(
    verb: str,
    selection: Selection,
    *,
    reason: str,
    parameters: dict[str, Any] | None = None,
    progress: OutputWrapper | None = None,
) -> OrderResult:
    """Give the order and stay with it; Ctrl-C stops it, and what is done stays done."""
    with transaction.atomic():
        order = orders.give(
            verb,
            selection,
            reason=reason,
            by=audit.command_line(),
            parameters=parameters,
            begins=False,
        )
        audit.note_command("order", order, reason=reason, details=orders.facts(order))
    try:
        show = (
            _ProgressLine(progress).show
            if progress is not None and sys.stdout.isatty()
            else lambda order: None
        )
        with maillog.at_a_terminal():
            orders.carry_out(order.pk, on_progress=show)
    except KeyboardInterrupt:
        orders.stop(order)
        raise
    order.refresh_from_db()
    stopped = orders.stopped(selection) if verb is Order.Verb.RETRY else 0
    return OrderResult(
        order.pk,
        order.expected,
        order.done,
        orders.in_hand(order),
        order.finished_at is not None,
        stopped,
    )


def sentence(result: OrderResult) -> str:
    """Say how an order went: `Done to 12 of 12 deliveries.` and what was left out."""
    text = f"Done to {result.done:,} of {result.selected:,} deliveries."
    if result.stopped:
        text += (
            f" {result.stopped:,} of them wait all the same: they are held, paused, or in a closed "
            "lane (./ekiden pause list)."
        )
    if result.in_hand:
        text += (
            f" {result.in_hand:,} are being sent at this moment; the maintenance worker looks at "
            "them again (./ekiden queue orders)."
        )
    return text


class _ProgressLine:
    """One line on a terminal, written over."""

    def __init__(self, output: OutputWrapper | None) -> None:
        self._output = output
        self._shown_at = 0.0

    def show(self, order: Order) -> None:
        now = time.monotonic()
        if self._output is None or (
            order.finished_at is None and now - self._shown_at < SHOW_EVERY
        ):
            return
        self._shown_at = now
        self._output.write(
            f"\r{order.get_verb_display()}: {order.seen:,} of {order.expected:,}", ending=""
        )
        if orders.is_walked(order):
            self._output.write("")
