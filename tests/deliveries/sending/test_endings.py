"""However a delivery ends, the mail log says so in one line."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.bounces import outgoing_reports
from deliveries.models import Delivery, Message
from deliveries.queue import expiry
from deliveries.queue.cancellation import cancel_lanes
from deliveries.steering import orders
from deliveries.steering.order_commands import carry_out
from deliveries.steering.selection import Selection
from tests.deliveries import make
from tests.deliveries.bounces.test_receive import REPORT, arrives, delivered
from tests.test_layers import ROOT

pytestmark = pytest.mark.usefixtures("mail_db")


def expire(delivery):
    type(delivery).objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    expiry.sweep()


def order(verb):
    return lambda delivery: orders.give(
        verb, Selection(recipient=delivery.recipient), reason="they asked", by="otto"
    )


WAYS = {
    "expired": (expire, "expiry", "The time allowed for delivery is over"),
    "cancelled": (
        lambda delivery: cancel_lanes([delivery.lane_id], why="Nobody wants it"),
        "operator",
        "Nobody wants it",
    ),
    "cancelled by order": (order("cancel"), "operator", "Cancelled: they asked"),
    "bounced by order": (order("bounce"), "operator", "Returned by an operator: they asked"),
}


def lines(caplog, message):
    return [
        record.getMessage()
        for record in caplog.records
        if f"message={message}" in record.getMessage()
    ]


@pytest.mark.parametrize("way", WAYS)
def test_an_ending_has_its_line(caplog, way):
    caplog.set_level("INFO", "ekiden.mail")
    end, stage, text = WAYS[way]
    delivery = make.delivery()
    end(delivery)
    [line] = lines(caplog, delivery.message_id)
    assert (
        f"delivery={delivery.pk} event={way.split()[0]} to=<you@mx.test> stage={stage} host=- "
        f"code=- text={text!r}"
    ) in line


def test_a_late_bounce_has_its_line(caplog):
    caplog.set_level("INFO", "ekiden.mail")
    delivery = delivered()
    arrives(REPORT % b"failed", delivery)
    [line] = lines(caplog, delivery.message_id)
    assert f"delivery={delivery.pk} event=bounced" in line and "stage=report" in line


def test_a_report_has_its_line(caplog):
    caplog.set_level("INFO", "ekiden.mail")
    failed = make.delivery(state="bounced", ended_at=timezone.now(), due_at=None, owes_report=True)
    outgoing_reports.issue()
    about = Message.objects.get(origin="report")
    [line] = lines(caplog, about.pk)
    assert (
        f"event=reported about={failed.message_id} delivery={failed.pk} to=<shop@shop.test>" in line
    )


def test_what_is_rolled_back_has_no_line(caplog, poison):
    caplog.set_level("INFO", "ekiden.mail")
    bad = make.delivery(expires_at=timezone.now() - timedelta(minutes=1))
    poison(bad)
    expiry.sweep()
    assert Delivery.objects.get(pk=bad.pk).state == "queued"
    assert not [line for line in lines(caplog, bad.message_id) if "event=expired" in line]


def test_a_command_at_a_terminal_keeps_its_output_to_itself(caplog):
    caplog.set_level("INFO", "ekiden.mail")
    delivery = make.delivery()
    assert (
        carry_out("cancel", Selection(recipient=delivery.recipient), reason="they asked").done == 1
    )
    assert lines(caplog, delivery.message_id) == []


def test_whoever_ends_deliveries_writes_to_the_mail_log():
    """A statement that ends a delivery stands in a module that logs it, or hands its rows to one
    that does.
    """
    ends = re.compile(r"ended_at = (now\(\)|CASE)|state = DeliveryState\.")
    found = {
        path.name
        for path in (ROOT / "deliveries").rglob("*.py")
        if ends.search(path.read_text(encoding="utf-8"))
    }
    assert found - {"order_statements.py"} == {
        "ledger_entries.py",
        "expiry.py",
        "cancellation.py",
        "consequences.py",
    }
