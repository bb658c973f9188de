"""Our own failure reports on their way: no customer's mail."""

import pytest

from deliveries.models import Delivery, Lane, Tally
from suppressions.models import Occurrence, Suppression
from tests.deliveries import make
from tests.deliveries.bounces.test_outgoing_reports import a_report
from tests.deliveries.stage import play

pytestmark = pytest.mark.usefixtures("mail_db", "valkey")


def test_a_report_that_bounces_says_nothing_about_the_sender(settings):
    report = a_report()
    play(settings, lambda mx: mx.on("RCPT", "550 5.1.1 no such user"))
    report.refresh_from_db()
    assert (report.state, report.attempts.get().category) == ("bounced", "unknown_user")
    assert not Occurrence.objects.exists() and not Tally.objects.exists()


@pytest.mark.parametrize(
    ("source", "state"),
    [("automatic", "delivered"), ("person", "suppressed"), ("complaint", "suppressed")],
)
def test_a_report_obeys_people_and_no_automatic_suppression(settings, source, state):
    report = a_report()
    Suppression.objects.create(
        address_key=report.recipient_key, project=report.project, source=source, reason="x"
    )
    play(settings)
    report.refresh_from_db()
    assert report.state == state and not Tally.objects.exists()


def test_a_host_that_breaks_off_at_a_report_takes_other_mail_at_its_pace(settings, caplog):
    make.rule(connections=1)
    report = a_report()
    mails = [make.delivery(f"u{number}@mx.test") for number in range(5)]

    def script(mx):
        mx.on("MAIL", lambda path: "421 4.7.0 no mail without a sender" if "<>" in path else None)

    def is_done():
        sent = Delivery.objects.filter(pk__in=[mail.pk for mail in mails], state="delivered")
        return sent.count() == 5 and report.attempts.exists()

    play(settings, script, until=is_done, seconds=60)
    report.refresh_from_db()
    lane = Lane.objects.get(site="in.mx.test")
    assert (report.state, report.attempts.get().outcome) == ("deferred", "deferred")
    assert (lane.paused_until, lane.failures, lane.rate) == (None, 0, None)
    assert "event=lane-" not in caplog.text
