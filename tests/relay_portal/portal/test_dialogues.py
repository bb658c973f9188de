"""What was said by SMTP, on the page of its message, and the wish to see what will be said."""

import json

import pytest
from django.utils import timezone

from deliveries.models import Attempt, Transcript, TranscriptRequest
from domains.models import AuditEntry
from tests.deliveries import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def tried():
    delivery = make.delivery()
    at = timezone.now()
    Attempt.objects.create(delivery=delivery, at=at, outcome="deferred", stage="rcpt", code=452)
    lines = [(0.1, "client", "RCPT TO:<you@mx.test>", ""), (0.2, "server", "452 <b>Full", "rcpt")]
    Transcript.objects.create(delivery=delivery, at=at, lines=json.dumps(lines), expires_at=at)
    return delivery


def test_each_line_stands_there_as_text_with_what_it_means(operator, tried):
    page = operator.get(f"/deliveries/message/{tried.message_id}/change/").text
    assert "RCPT TO:&lt;you@mx.test&gt;" in page
    assert "We name the recipient." in page
    assert "452 &lt;b&gt;Full" in page
    assert "Not now: we try again." in page


def test_the_next_dialogue_is_asked_for_by_a_button_once_and_written_down(operator, tried):
    for _ in range(2):
        answer = operator.post(f"/deliveries/message/{tried.message_id}/do/note_next/")
        assert answer.status_code == 302
    assert TranscriptRequest.objects.get().by == "otto"
    assert AuditEntry.objects.filter(action="note_next").count() == 2
    page = operator.get(f"/deliveries/message/{tried.message_id}/change/").text
    assert "will be noted" in page


def test_what_has_ended_has_no_next_dialogue(operator, tried):
    type(tried).objects.update(state="delivered", ended_at=timezone.now(), due_at=None)
    page = operator.get(f"/deliveries/message/{tried.message_id}/change/").text
    assert "/do/note_next/" not in page
