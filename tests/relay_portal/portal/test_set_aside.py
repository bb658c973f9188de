"""What could not be handled: seen by operators, tried again or given up, written down; and told by
status, doctor and metrics.
"""

import json

import pytest
from django.core.management import call_command
from django.utils import timezone

from deliveries.jobs import giving_up
from deliveries.models import Delivery, InboundMail, Lane
from domains.models import AuditEntry, ItemKind, SetAside
from domains.operations.isolation import failed
from relay_portal.doctor import mail as doctor
from tests.deliveries import make
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.usefixtures("mail_db")


def aside(kind, key):
    failed(kind, key, ValueError("<b>poison</b>"), most=1)
    return SetAside.objects.get(kind=kind, key=str(key))


@pytest.fixture
def letter(mail_db):
    return InboundMail.objects.create(kind="postmaster", data=b"")


def do(row, verb, browser=None, **form):
    return (browser or verified(person())).post(
        f"/domains/setaside/{row.pk}/do/{verb}/", form, follow=True
    )


def test_an_operator_sees_the_traceback_as_text(letter):
    row = aside(ItemKind.INBOUND, letter.pk)
    browser = verified(person())
    assert str(letter.pk) in browser.get("/domains/setaside/").text
    page = browser.get(f"/domains/setaside/{row.pk}/change/").text
    assert "ValueError: &lt;b&gt;poison&lt;/b&gt;" in page
    assert "1 item could not be handled" in browser.get("/").text


def test_it_is_written_into_the_audit_log_when_it_is_put_aside(letter):
    aside(ItemKind.INBOUND, letter.pk)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.reason) == ("isolation", "set_aside", "<b>poison</b>")


def test_trying_again_lets_the_loop_take_it(letter):
    do(aside(ItemKind.INBOUND, letter.pk), "try_again")
    assert not SetAside.objects.exists()
    assert AuditEntry.objects.filter(actor="otto", action="try_again").exists()


def test_giving_a_letter_up_says_so_in_its_finding(letter):
    do(aside(ItemKind.INBOUND, letter.pk), "drop", reason="spam")
    letter.refresh_from_db()
    assert letter.handled_at is not None
    assert letter.finding.startswith("given up")
    assert AuditEntry.objects.get(actor="otto", action="drop").reason == "spam"


def test_a_held_delivery_goes_on(mail_db):
    delivery = make.delivery(hold=Delivery.Hold.HELD, lane_id=Lane.PARKED)
    do(aside(ItemKind.DELIVERY, delivery.pk), "try_again")
    delivery.refresh_from_db()
    assert (delivery.hold, delivery.lane_id) == (Delivery.Hold.NONE, Lane.ROUTING)


def test_a_delivery_is_not_given_up_here(mail_db):
    assert do(aside(ItemKind.DELIVERY, make.delivery().pk), "drop", reason="x").status_code == 404


def test_a_report_that_is_given_up_is_owed_no_more(mail_db):
    delivery = make.delivery(
        state="bounced", ended_at=timezone.now(), due_at=None, owes_report=True
    )
    do(aside(ItemKind.REPORT, delivery.pk), "drop", reason="x")
    assert not Delivery.objects.get().owes_report


def test_support_staff_see_none_of_it(letter):
    row = aside(ItemKind.INBOUND, letter.pk)
    browser = verified(person(operator=False))
    assert browser.get("/domains/setaside/").status_code == 403
    assert do(row, "try_again", browser).status_code == 403


def test_every_kind_can_be_tried_again_or_given_up_or_comes_by_itself():
    by_itself = {ItemKind.ALERT, ItemKind.STEP, ItemKind.ROUTING, ItemKind.LANE}
    assert set(giving_up.AGAIN) | set(giving_up.DROP) | by_itself == set(ItemKind)


def test_status_doctor_and_metrics_count_it(letter, client, settings, capsys):
    aside(ItemKind.INBOUND, letter.pk)
    settings.EKIDEN_METRICS_TOKEN = "t"
    assert (
        'ekiden_set_aside{kind="inbound"} 1'
        in client.get("/metrics/", headers={"Authorization": "Bearer t"}).text
    )
    assert [finding.level.name for finding in doctor.set_aside()] == ["BAD"]
    with pytest.raises(SystemExit):
        call_command("status", "--json")
    assert json.loads(capsys.readouterr().out)["set_aside"] == 1
