"""Our own failure reports on their way: no customer's mail."""

import pytest

from deliveries.models import Tally
from suppressions.models import Occurrence, Suppression
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
