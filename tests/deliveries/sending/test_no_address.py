"""Mail hosts without an address in DNS: a report of the delay, a second look hours later, and then
a bounce.
"""

import email
import time

import pytest
from django.utils import timezone

from deliveries.bounces import outgoing_reports
from deliveries.models import Attempt, Delivery, Lane, Message
from deliveries.sending import retry_schedule
from tests.deliveries import make
from tests.deliveries.intake.test_committer import stored
from tests.deliveries.stage import play
from tests.fakes.dns import Behaviour

pytestmark = pytest.mark.usefixtures("mail_db")

DEAD = {
    "no data": {"mx.test": {"MX": [(10, "in.mx.test")]}, "in.mx.test": {"TXT": ["nothing else"]}},
    "no such name": {"mx.test": {"MX": [(10, "in.mx.test"), (20, "gone.mx.test")]}},
}


def look(settings, zones, amount):
    play(settings, zones=zones, until=lambda: Attempt.objects.count() == amount)
    return Delivery.objects.get(recipient="you@mx.test")


def hours_pass():
    lane = Lane.objects.exclude(site__startswith="(").get()
    since, last = lane.experience["addressless"]
    lane.experience["addressless"] = [
        since - retry_schedule.SECOND_LOOK - 60,
        last - retry_schedule.SECOND_LOOK - 60,
    ]
    lane.save()
    Delivery.objects.update(due_at=timezone.now(), lane=Lane.ROUTING)


@pytest.mark.parametrize("kind", DEAD)
def test_the_second_look_hours_later_is_final(settings, kind):
    make.delivery()
    delivery = look(settings, DEAD[kind], 1)
    assert (
        delivery.state == "deferred"
        and (delivery.due_at.timestamp() - time.time()) > retry_schedule.SECOND_LOOK / 2
    )
    hours_pass()
    delivery = look(settings, DEAD[kind], 2)
    assert delivery.state == "bounced" and Attempt.objects.latest("id").enhanced == "5.4.4"


def test_a_host_that_has_an_address_again_gets_the_mail(settings):
    make.delivery()
    look(settings, DEAD["no data"], 1)
    hours_pass()
    mx = play(settings)
    assert len(mx.messages) == 1
    assert "addressless" not in Lane.objects.exclude(site__startswith="(").get().experience


def test_dns_that_fails_for_one_host_proves_nothing(settings):
    make.delivery()
    zones = DEAD["no such name"]
    play(
        settings,
        zones=zones,
        behaviours={"gone.mx.test": Behaviour.SERVFAIL},
        until=Attempt.objects.exists,
    )
    assert "addressless" not in Lane.objects.exclude(site__startswith="(").get().experience


@pytest.mark.parametrize(
    ("notify", "told"), [("", 1), ("FAILURE", 0), ("FAILURE,DELAY", 1), ("NEVER", 0)]
)
def test_the_sender_is_told_of_the_delay(settings, notify, told):
    make.delivery(notify=notify)
    look(settings, DEAD["no data"], 1)
    assert outgoing_reports.issue() == told
    if told:
        report = Message.objects.get(origin=Message.Origin.REPORT)
        text = stored(report.pk).decode()
        assert (
            "\r\nAction: delayed\r\nStatus: 4.4.4\r\n" in text and "\r\nWill-Retry-Until: " in text
        )
        assert email.message_from_string(text)["Subject"] == "Delayed Mail (still being retried)"
    assert Delivery.objects.get(recipient="you@mx.test").state == "deferred"
