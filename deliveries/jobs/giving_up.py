"""What a person may do with an item that is put aside: have it tried again, or give it up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.db import transaction
from django.utils import timezone

from deliveries.bounces.findings import GIVEN_UP
from deliveries.models import Delivery, InboundMail, Lane, Order
from deliveries.queue.wakeups import notify_now
from deliveries.steering import orders
from domains import jobs as domain_jobs
from domains.models import ItemKind, SetAside
from suppressions.models import Occurrence, Suppression


def _finish_mail(key: str) -> None:
    InboundMail.objects.filter(pk=key, handled_at__isnull=True).update(
        finding=GIVEN_UP, handled_at=timezone.now()
    )


def _finish_occurrence(key: str) -> None:
    Occurrence.objects.filter(pk=key, handled_at__isnull=True).update(handled_at=timezone.now())


def _stop_order(key: str) -> None:
    """Stop the order of this key.

    The key of a single delivery of an order is two words, and stops nothing: the order itself has
    gone on.
    """
    if key.isdigit() and (order := Order.objects.filter(pk=key).first()) is not None:
        orders.stop(order)


def _release(key: str) -> None:
    """Release a held delivery as a person does: it is routed anew and due at once."""
    held = Delivery.objects.live().filter(pk=key, hold=Delivery.Hold.HELD)
    if held.update(hold=Delivery.Hold.NONE, lane=Lane.ROUTING, due_at=timezone.now()):
        transaction.on_commit(partial(notify_now, [Lane.ROUTING]))


def _make_key(key: str) -> None:
    """Make the key at once: no later job would do it if this call to a worker were lost."""
    transaction.on_commit(partial(domain_jobs.make_keys, int(key)))


def _owe_nothing(key: str) -> None:
    Delivery.objects.filter(pk=key).update(owes_report=False)


def _end_probation(key: str) -> None:
    Suppression.objects.filter(pk=key).update(probe_id=None, probe_until=None)


def _nothing(key: str) -> None:
    """Do nothing: the loop finds the item by itself; or it is over, and only the note goes."""


Act = Callable[[str], None]
AGAIN: dict[str, Act] = {
    ItemKind.INBOUND: _nothing,
    ItemKind.OCCURRENCE: _nothing,
    ItemKind.REPORT: _nothing,
    ItemKind.ORDER: _nothing,
    ItemKind.DELIVERY: _release,
    ItemKind.EXPIRY: _nothing,
    ItemKind.PROBATION: _nothing,
    ItemKind.DOMAIN: _nothing,
    ItemKind.KEY: _make_key,
}
DROP: dict[str, Act] = {
    ItemKind.INBOUND: _finish_mail,
    ItemKind.OCCURRENCE: _finish_occurrence,
    ItemKind.REPORT: _owe_nothing,
    ItemKind.ORDER: _stop_order,
    ItemKind.PROBATION: _end_probation,
    ItemKind.IMPORT: _nothing,
    ItemKind.SECOND_LOOK: _nothing,
    ItemKind.KEY: _nothing,
}


def try_again(row: SetAside) -> None:
    """Let its loop take it once more, as if it had never failed."""
    AGAIN[row.kind](row.key)
    row.delete()


def drop(row: SetAside) -> None:
    """Give it up: what was to be done with it is done no more."""
    DROP[row.kind](row.key)
    row.delete()
