"""The `queue` command: what it chooses, and what it does to that."""

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from deliveries.models import Delivery, Lane, Order
from deliveries.models.states import DeliveryState
from deliveries.steering import orders
from domains.models import AuditEntry
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make
from tests.deliveries.steering.test_steering_commands import WHY, later, written

pytestmark = pytest.mark.usefixtures("mail_db")

# --- selections -----------------------------------------------------------------------------------
LEFT = [
    (["retry"], {"state": "deferred", "lane__site": "mx.test"}),
    (["cancel", "--yes"], {"state": "cancelled"}),
    (["bounce", "--yes"], {"state": "bounced", "owes_report": True}),
    (["reroute"], {"lane": Lane.ROUTING}),
    (["reroute", "--to", "192.0.2.1:2525", "--tls", "required"],
        {"lane__site": "forced:192.0.2.1:2525:required"}),
    (["hold"], {"hold": Delivery.Hold.HELD, "lane": Lane.PARKED}),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "left"), LEFT, ids=str)
def test_each_verb_is_done_to_what_was_chosen_and_to_nothing_else(verb, left):
    lane = make.lane()
    chosen = make.delivery(state=DeliveryState.DEFERRED, lane=lane, due_at=later())
    other = make.delivery("me@other.test", state=DeliveryState.DEFERRED, lane=lane, due_at=later())
    assert "Done to 1 of 1" in ekiden("queue", *verb, "--domain", "mx.test", *WHY)
    assert Delivery.objects.filter(pk=chosen.pk, **left).exists()
    assert Delivery.objects.filter(
        pk=other.pk, state="deferred", hold=0, lane=lane, due_at__gt=timezone.now()
    ).exists()
    assert written() == [("order", str(Order.objects.get()), "they asked")]


def test_what_is_held_is_released():
    make.delivery(lane_id=Lane.PARKED, hold=Delivery.Hold.HELD)
    ekiden("queue", "release", "--held", *WHY)
    assert Delivery.objects.get().hold == Delivery.Hold.RELEASED


def test_each_choice_chooses(credential):
    lane = make.lane()
    make.leads_to(lane, "mx.test")
    sent = make.message(credential.project)
    make.delivery("you@mx.test", sent, flow=credential.pk, lane=lane, state=DeliveryState.DEFERRED)
    make.delivery("me@other.test")
    choices = (
        ["--project", "shop"], ["--credential", "web", "--project", "shop"],
        ["--domain", "MX.test"], ["--recipient", "<You@mx.test>"],
        ["--lane", "mx.test"], ["--state", "deferred"], ["--message", str(sent.pk)],
    )  # fmt: skip
    for choice in choices:
        found = ekiden_json("queue", "show", *choice)
        assert (found["waiting"], [each["recipient"] for each in found["examples"]]) == (
            1,
            ["you@mx.test"],
        ), choice
    assert ekiden_json("queue", "show", "--all")["waiting"] == 2
    assert ekiden_json("queue", "show", "--older-than", "1h")["waiting"] == 0
    assert "being looked up" in ekiden("queue", "show", "--domain", "other.test")


def test_a_dry_run_shows_and_changes_nothing():
    make.delivery()
    assert "1 wait" in ekiden("queue", "cancel", "--all", "--dry-run", *WHY)
    assert (
        Delivery.objects.live().count() == 1
        and not Order.objects.exists()
        and not AuditEntry.objects.exists()
    )


@pytest.mark.parametrize("verb", ["cancel", "bounce"])
def test_what_cannot_be_undone_is_asked_about(verb):
    make.delivery()
    with pytest.raises(CommandError, match="--yes"):
        ekiden("queue", verb, "--all", *WHY)
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--all", "--domain", "mx.test"],
        ["--older-than", "2 weeks"],
        ["--message", "x"],
        ["--domain", "a b"],
    ],
)
def test_a_choice_that_makes_no_sense_is_a_mistake(words):
    with pytest.raises(CommandError):
        ekiden("queue", "hold", *words, *WHY)
    assert not Order.objects.exists()


def test_a_large_order_is_carried_out_by_the_command_itself(monkeypatch):
    monkeypatch.setattr(orders, "BATCH", 2)
    monkeypatch.setattr(orders, "AT_ONCE", 2)
    for number in range(5):
        make.delivery(f"{number}@mx.test")
    assert ekiden_json("queue", "cancel", "--all", "--yes", *WHY)["done"] == 5


def test_what_is_being_sent_is_told_and_left_to_the_worker():
    make.delivery(lane=make.lane(epoch=1, leased_until=later()), claim=1)
    assert "1 are being sent at this moment" in ekiden("queue", "hold", "--all", *WHY)
    [order] = ekiden_json("queue", "orders")
    assert (order["state"], order["done"]) == ("under way", 0)


def test_an_order_is_stopped():
    make.delivery(lane=make.lane(epoch=1, leased_until=later()), claim=1)
    number = str(ekiden_json("queue", "hold", "--all", *WHY)["order"])
    ekiden("queue", "stop", number, *WHY)
    assert ekiden_json("queue", "orders")[0]["state"] == "stopped"
    for wrong in (number, "0"):
        with pytest.raises(CommandError):
            ekiden("queue", "stop", wrong, *WHY)
