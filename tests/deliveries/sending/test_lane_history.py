"""What a lane's agent leaves behind of its pace and of what slowed it, with the notes it makes
anyway.
"""

import pytest

from deliveries.models import Attempt, BackOff, Lane, LanePace
from tests.deliveries import make
from tests.deliveries.stage import play

pytestmark = pytest.mark.usefixtures("mail_db")


def waiting(amount, domain="mx.test"):
    sender = make.credential()
    for number in range(amount):
        make.delivery(f"u{number}@{domain}", of=make.message(sender.project), flow=sender.pk)


def test_the_minute_of_a_lane_holds_what_it_sent_and_was_allowed(settings):
    make.rule("limited", domains=["mx.test"], per_minute=6000)
    waiting(40)
    play(settings)
    minutes = list(LanePace.objects.all())
    assert sum(each.sent for each in minutes) == 40
    assert {each.allowed for each in minutes} == {100.0}
    assert all(each.connections >= 1 for each in minutes)


def test_a_lane_without_a_limit_and_with_little_mail_has_no_minutes(settings):
    waiting(1)
    play(settings)
    assert not LanePace.objects.exists()


def test_an_answer_that_slows_a_lane_is_told_with_its_words(settings):
    waiting(1)
    slow = "450 4.7.1 Too many messages, slow down"
    play(settings, lambda mx: mx.on("mail", slow), until=Attempt.objects.exists)
    told = BackOff.objects.earliest("pk")
    assert (told.kind, told.lane.site) == ("slowed", "in.mx.test")
    assert told.reply == slow and told.rate > 0


def test_a_host_that_is_not_there_pauses_its_lane_and_that_is_told(settings):
    waiting(1)
    play(settings, lambda mx: mx.on("greeting", "421 4.3.2 Down for maintenance"),
        until=Lane.objects.filter(paused_until__isnull=False).exists)  # fmt: skip
    told = BackOff.objects.latest("pk")
    assert (told.kind, told.reply) == ("paused", "421 4.3.2 Down for maintenance")
    assert told.seconds > 1
