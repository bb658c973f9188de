"""An order goes through its deliveries batch by batch, whatever happens meanwhile."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from deliveries import jobs
from deliveries.models import Attempt, Delivery, Order
from deliveries.steering import orders
from deliveries.steering.selection import Selection
from domains.models import ItemKind, SetAside
from tests.deliveries import make
from tests.deliveries.steering.test_orders import give, now

pytestmark = pytest.mark.usefixtures("mail_db")


def five_of_one_second():
    """Make them as one group commit does: with one deadline."""
    of, deadline = make.message(), timezone.now() + timedelta(days=1)
    return [make.delivery(f"{number}@mx.test", of, expires_at=deadline) for number in range(5)]


@pytest.mark.usefixtures("small_batches")
def test_an_order_goes_through_its_deliveries_batch_by_batch():
    five_of_one_second()
    order = give(Order.Verb.HOLD)
    assert (order.expected, order.seen, order.done, order.finished_at is not None) == (
        5,
        5,
        5,
        True,
    )


@pytest.mark.usefixtures("small_batches")
def test_an_order_that_was_cut_off_goes_on_where_it_was_and_repeats_nothing():
    five_of_one_second()
    order = orders.give(Order.Verb.BOUNCE, Selection(), reason="why", by="otto", begins=False)
    orders._step(order.pk)
    with suppress(ZeroDivisionError), transaction.atomic():
        orders._step(order.pk)
        raise ZeroDivisionError  # the worker dies with its batch written and not committed
    assert Attempt.objects.count() == 2
    jobs.carry_out_orders()
    order.refresh_from_db()
    assert (order.seen, order.done, order.finished_at is not None) == (5, 5, True)
    assert Attempt.objects.count() == 5


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("verb", [Order.Verb.CANCEL, Order.Verb.HOLD])
def test_of_a_poisoned_delivery_the_order_does_all_but_that(verb, place, poison):
    bad = five_of_one_second()[place]
    poison(bad)
    order = give(verb)
    assert (order.seen, order.done, order.finished_at is not None) == (5, 4, True)
    assert now(bad).is_live and not now(bad).hold
    aside = SetAside.objects.get()
    assert (aside.kind, aside.key, aside.set_aside_at is not None) == (
        ItemKind.ORDER,
        f"{order.pk} {bad.pk}",
        True,
    )
    assert "this row cannot be written" in aside.traceback


@pytest.mark.usefixtures("small_batches")
def test_an_order_that_is_stopped_goes_no_further():
    five_of_one_second()
    order = orders.give(Order.Verb.CANCEL, Selection(), reason="why", by="otto", begins=False)
    orders._step(order.pk)
    assert orders.stop(order) and not orders.stop(order)
    jobs.carry_out_orders()
    order.refresh_from_db()
    assert (order.done, Delivery.objects.live().count()) == (2, 3)
    assert order.stopped_at


def test_a_large_order_is_left_to_the_maintenance_worker(monkeypatch, valkey, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(orders, "AT_ONCE", 3)
    five_of_one_second()
    order = give(Order.Verb.CANCEL)
    assert order.done == 0 and valkey.llen("rq:queue:maintenance") == 1
    jobs.carry_out_orders()
    assert Delivery.objects.live().count() == 0
    assert f"event=ordered order={order.pk} verb=cancel by='otto' done=5" in caplog.text


def test_an_order_that_cannot_be_carried_out_does_not_hold_up_the_next(caplog):
    make.delivery()
    bad = orders.give(Order.Verb.CANCEL, Selection(), reason="why", by="otto", begins=False)
    Order.objects.update(selection={"nonsense": 1})
    good = orders.give(Order.Verb.CANCEL, Selection(), reason="why", by="otto", begins=False)
    jobs.carry_out_orders()
    assert (
        Order.objects.get(pk=good.pk).done == 1 and Order.objects.get(pk=bad.pk).finished_at is None
    )
    assert f"kind=order key={bad.pk} failures=1" in caplog.text
