from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from deliveries import queues, retention
from deliveries.ids import first_id_of
from deliveries.models import Attempt, Content, Delivery, InboundMail, Message, Submission
from tests.deliveries import make

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def project():
    return make.project(content_days=7, log_days=90)


def old(project, days, *, is_live=False):
    id_ = first_id_of(NOW - timedelta(days=days))
    sent = make.message(of=project, id=id_)
    end = {} if is_live else {"state": "delivered", "ended_at": NOW, "due_at": None}
    delivery = make.delivery(of=sent, **end)
    Attempt.objects.create(delivery=delivery, outcome="delivered", stage="body")
    return sent


def test_content_goes_before_the_log(project):
    sent = old(project, days=8)
    retention.retain(now=NOW)
    assert not Content.objects.filter(pk=sent.pk).exists()
    assert Attempt.objects.filter(delivery__message=sent).exists()


def test_the_log_of_an_old_message_goes_whole(project):
    old(project, days=91)
    retention.retain(now=NOW)
    assert [model.objects.count() for model in (Message, Content, Delivery, Attempt)] == [0, 0, 0, 0]


def test_what_is_young_is_kept(project):
    old(project, days=6)
    retention.retain(now=NOW)
    assert Content.objects.count() == 1


def test_a_message_with_a_live_delivery_is_kept_however_old(project):
    old(project, days=91, is_live=True)
    retention.retain(now=NOW)
    assert [Message.objects.count(), Content.objects.count()] == [1, 1]


def test_each_project_has_its_own_times(project):
    kept = old(make.project(content_days=30), days=8.5)
    old(project, days=8)
    retention.retain(now=NOW)
    assert [content.pk for content in Content.objects.all()] == [kept.pk]


def test_more_than_one_batch_is_removed(project, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    for minute in range(5):
        old(project, days=8 + minute / 1440)
    retention.retain(now=NOW)
    assert Content.objects.count() == 0


def test_submissions_are_forgotten_when_their_window_is_over(project):
    for key, minutes in ((b"old", -1), (b"new", 1)):
        expires_at = timezone.now() + timedelta(minutes=minutes)
        Submission.objects.create(key=key, message_id=first_id_of(NOW), expires_at=expires_at)
    retention.retain(now=NOW)
    assert [bytes(kept.key) for kept in Submission.objects.all()] == [b"new"]


def test_a_turn_ends_when_its_time_is_over_and_the_next_goes_on(project):
    old(project, days=91)
    assert [retention.retain(now=NOW, seconds=0), retention.retain(now=NOW)] == [False, True]
    assert not Message.objects.exists()


def test_a_report_that_was_read_is_forgotten_after_its_time_and_no_other():
    read, fresh, unread = (first_id_of(NOW - timedelta(days=days)) for days in (91, 89, 92))
    for id_ in (read, fresh):
        InboundMail.objects.create(id=id_, kind="report", data=b"", handled_at=NOW)
    InboundMail.objects.create(id=unread, kind="report", data=b"")
    retention.retain(now=NOW)
    assert set(InboundMail.objects.values_list("id", flat=True)) == {fresh, unread}


def test_what_another_project_keeps_for_longer_holds_no_turn_up(project, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 1)
    old(make.project(content_days=30), days=29)
    for days in (20, 19, 18):
        Content.objects.filter(pk=old(project, days=days).pk).delete()
    left = old(project, days=8)
    places = {}
    for _ in range(4):
        retention.retain(now=NOW, seconds=0, places=places)
    assert not Content.objects.filter(pk=left.pk).exists()


def test_turns_go_on_where_the_one_before_came_to(project):
    queues.connect().delete(retention.PLACES)
    first = old(project, days=8)
    retention.take_turn(now=NOW)
    Content.objects.create(message=first, data=b"")
    retention.take_turn(now=NOW)
    assert Content.objects.filter(pk=first.pk).exists()
    assert 0 < queues.connect().ttl(retention.PLACES) <= retention.PLACES_LAST


def test_places_that_mean_nothing_are_passed_over(project):
    old(project, days=8)
    assert retention.retain(now=NOW, places={f"{project.pk} content": "nonsense"})
    assert not Content.objects.exists()
