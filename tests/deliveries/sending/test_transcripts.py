"""Dialogues of failed attempts, of the projects that keep them, and of the next one on request."""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.jobs import retention
from deliveries.models import Attempt, Delivery, Transcript, TranscriptRequest
from deliveries.sending.transcript_choice import A_MINUTE, TranscriptChoice
from domains.models import AuditEntry
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make
from tests.deliveries.stage import play

pytestmark = pytest.mark.usefixtures("mail_db")


@pytest.fixture
def waiting():
    def make_one(days=0):
        project = make.project(transcript_days=days)
        return make.delivery(of=make.message(project), flow=1)

    return make_one


def refuse(mx):
    mx.on("rcpt", "550 5.1.1 No such user")


def later(mx):
    mx.on("rcpt", "452 4.2.2 Mailbox full")


def texts(delivery):
    row = Transcript.objects.get(delivery=delivery)
    assert Attempt.objects.filter(delivery=delivery, at=row.at).exists()
    return [what for _at, _who, what, _stage in row.said]


def test_a_failed_attempt_of_a_project_that_keeps_dialogues_has_one(settings, waiting):
    delivery = waiting(days=3)
    play(settings, refuse)
    assert "RCPT TO:<you@mx.test>" in texts(delivery)
    assert "550 5.1.1 No such user" in texts(delivery)
    row = Transcript.objects.get()
    assert timedelta(days=2, hours=23) < row.expires_at - row.at < timedelta(days=3, hours=1)


def test_a_project_that_keeps_none_and_a_delivery_that_went_well_have_none(settings, waiting):
    waiting(days=3)
    play(settings)
    waiting(days=0)
    play(settings, refuse)
    assert not Transcript.objects.exists()


def test_a_host_that_refuses_at_once_is_told_too(settings, waiting):
    delivery = waiting(days=3)
    play(settings, lambda mx: mx.on("greeting", "554 5.7.1 Your address is listed"),
        until=Attempt.objects.exists)  # fmt: skip
    assert texts(delivery) == ["554 5.7.1 Your address is listed"]


def test_the_next_attempt_on_request_is_noted_however_it_ends(settings, waiting):
    delivery = waiting()
    found = ekiden_json("trace", str(delivery.message_id), "--note-next")
    assert found["deliveries"][0]["attempts"] == []
    assert AuditEntry.objects.get().action == "note_next"
    play(settings)
    assert Delivery.objects.get().state == "delivered"
    assert texts(delivery)[-1].startswith("250")
    assert not TranscriptRequest.objects.exists()


def test_trace_prints_the_dialogue_with_what_it_means(settings, waiting):
    delivery = waiting(days=3)
    play(settings, later, until=Attempt.objects.exists)
    printed = ekiden("trace", str(delivery.message_id), "--dialogue")
    assert "> RCPT TO:<you@mx.test>" in printed
    assert "< 452 4.2.2 Mailbox full" in printed
    assert "Not now: we try again. It is about the recipient, or about us." in printed
    [attempt] = ekiden_json("trace", str(delivery.message_id))["deliveries"][0]["attempts"]
    assert {"who": "client", "text": "RCPT TO:<you@mx.test>"}.items() <= next(
        line.items() for line in attempt["transcript"] if line["text"].startswith("RCPT")
    )


def test_a_dialogue_goes_when_its_time_is_over(settings, waiting):
    waiting(days=3)
    play(settings, refuse)
    Transcript.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    retention.retain(now=timezone.now())
    assert not Transcript.objects.exists()


def test_a_receiver_that_refuses_all_fills_no_disk():
    delivery = make.delivery()
    choice = TranscriptChoice(clock=lambda: 100.0)
    choice.take([delivery.project_id], [])
    kept = [choice.keeps(claim(delivery), is_delivered=False) for _ in range(2 * A_MINUTE)]
    assert kept.count(True) == A_MINUTE


def claim(delivery):
    from types import SimpleNamespace

    return SimpleNamespace(id=delivery.pk, project_id=delivery.project_id)
