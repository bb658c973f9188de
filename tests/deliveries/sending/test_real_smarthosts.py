"""Mail leaves through Debian's Postfix, which asks Dovecot who we are."""

import asyncio
import os

import pytest
from django.utils import timezone

from deliveries.models import Attempt, Delivery, Lane, Smarthost
from deliveries.routing.smarthosts import change
from domains.models import AuditEntry
from tests.deliveries import make
from tests.deliveries.bounces.test_receive import arrives
from tests.deliveries.sending.real_smarthosts import ZONES, deliver, led, need
from tests.deliveries.stage import drain_until, in_thread, scene
from tests.fakes.cutting_proxy import CuttingProxy
from tests.fakes.real_smarthost import NAME, RealSmarthost

pytestmark = [
    pytest.mark.peer,
    pytest.mark.usefixtures("mail_db", "trusting"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def postfix(authority):
    need()
    with RealSmarthost(authority) as server:
        yield server


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("level", ["verified", "implicit"])
def test_mail_leaves_by_a_password(settings, postfix, mechanism, level):
    port = postfix.port if level == "verified" else postfix.smtps
    led([[NAME, port, level]], mechanism=mechanism)
    make.delivery(f"box-{mechanism}-{level}@mx.test".lower())
    deliver(settings)
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.host) == ("delivered", NAME), postfix.words()
    assert attempt.tls.endswith(" verified")
    assert Lane.objects.get(site="smarthost:office").smarthost_id == Smarthost.objects.get().pk


def test_a_refused_password_closes_the_lane_and_bounces_nothing(settings, postfix):
    led([[NAME, postfix.port, "verified"]], password="wrong")
    make.delivery("box@mx.test")
    deliver(settings, until=lambda: Lane.objects.filter(closed_at__isnull=False).exists())
    delivery, lane = Delivery.objects.get(), Lane.objects.get(site="smarthost:office")
    assert (delivery.state, delivery.attempt_count) == ("deferred", 0)
    assert lane.close_reason.startswith("535 5.7.8")
    alert = AuditEntry.objects.get(action="alert")
    assert (alert.object_name, alert.actor) == ("office", "alert")
    assert alert.reason.startswith("535 5.7.8") and "wrong" not in str(alert.details)


# more than the buffers on the way hold
LINES = [os.urandom(32).hex().encode() for _ in range(120_000)]
BODY = b"\r\n".join([b"Subject: much", b"", *LINES, b""])


@pytest.fixture(scope="module")
def other(authority):
    need()
    with RealSmarthost(authority, address="127.0.0.2") as server:
        yield server


def cut(settings, postfix, other, *, after, until):
    """Send a large message by two smarthosts, of which the first dies in the middle of it."""
    make.delivery("box@mx.test", of=make.message(content=BODY))
    zones = ZONES | {NAME: {"A": ["127.0.0.1"]}, "other.test": {"A": ["127.0.0.2"]}}

    async def main():
        async with (
            scene(settings, zones),
            CuttingProxy("127.0.0.1", postfix.port, octets=200_000, after=after) as proxy,
        ):
            hosts = [[NAME, proxy.port, "verified"], ["other.test", other.port, "verified"]]
            await asyncio.to_thread(in_thread, lambda: led(hosts))
            await drain_until(until, 30)
            return proxy.cut

    return asyncio.run(main())


def held(server):
    return [mail for mail in server.boxed() if b"Subject: much" in mail]


def test_a_smarthost_that_dies_in_the_middle_of_a_message_is_followed_by_the_second(
    settings, postfix, other
):
    before = len(held(postfix))
    cuts = cut(
        settings, postfix, other, after=False, until=lambda: not Delivery.objects.live().exists()
    )
    assert cuts and Delivery.objects.get().state == "delivered", other.words()
    first, second = Attempt.objects.order_by("id")
    assert (first.outcome, first.stage) == ("passed", "data") and second.host == "other.test"
    assert len(held(postfix)) == before and not Delivery.objects.get().is_in_doubt


def test_a_smarthost_that_dies_after_the_whole_message_leaves_it_in_doubt(settings, postfix, other):
    cuts = cut(settings, postfix, other, after=True, until=Attempt.objects.exists)
    delivery = Delivery.objects.get()
    assert cuts == 1 and delivery.is_in_doubt and delivery.state == "deferred"
    assert Attempt.objects.get().outcome == "in_doubt"
    Smarthost.objects.update(hosts=[["other.test", other.port, "verified"]])
    change(Smarthost.objects.get(), columns=[])
    Delivery.objects.update(due_at=timezone.now())
    deliver(settings, zones={"other.test": {"A": ["127.0.0.2"]}})
    assert Delivery.objects.get().state == "delivered"


def test_the_content_leaves_as_it_is_stored(settings, postfix):
    led([[NAME, postfix.port, "verified"]])
    content = make.CONTENT.replace(b"hello\r\n", b"as it is, d\xc3\xa4 \xe3\x81\x82\r\n.dot\r\n")
    make.delivery("box-content@mx.test", of=make.message(content=content, eight_bit=True))
    deliver(settings)
    kept = content.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")
    assert [mail for mail in postfix.boxed() if mail.endswith(kept)], postfix.words()


def test_a_report_of_the_smarthost_moves_its_delivery(settings, postfix):
    """`late@` is taken, and refused by its mailbox afterwards."""
    settings.EKIDEN_HOSTNAME = "relay.test"
    led([[NAME, postfix.port, "verified"]])
    delivery = make.delivery("late@mx.test")
    deliver(settings)
    [report] = postfix.wait_for(b"Undelivered Mail Returned to Sender")
    assert arrives(report.replace(b"\n", b"\r\n"), delivery).startswith("the delivery has bounced")
    delivery.refresh_from_db()
    assert delivery.state == "bounced"
    assert Attempt.objects.order_by("id").last().stage == "report"
