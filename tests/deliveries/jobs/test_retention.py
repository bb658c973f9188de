import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from deliveries.backends import job_queues
from deliveries.jobs import retention
from deliveries.message.ids import first_id_of, new_id
from deliveries.models import Attempt, Content, Delivery, InboundMail, Lane, Message, Submission
from domains.foundation.upkeep import retention as kept
from suppressions import retained as suppressions_retained
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
    assert [model.objects.count() for model in (Message, Content, Delivery, Attempt)] == [
        0,
        0,
        0,
        0,
    ]


@pytest.mark.parametrize("days", [36_500, 2_147_483_647])
def test_a_project_that_keeps_all_for_ever_keeps_nobody_elses(project, days):
    old(make.project(content_days=days, log_days=days), days=3000)
    old(project, days=91)
    assert retention.retain(now=NOW)
    assert Message.objects.get().project.log_days == days


def test_so_may_the_installation(project, monkeypatch):
    tables = [replace(each, days=10**9) if each.days else each for each in kept.tables()]
    monkeypatch.setattr(kept, "tables", lambda: tables)
    old(project, days=91)
    assert retention.retain(now=NOW) and not Message.objects.exists()


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


@pytest.mark.parametrize("handled_at", [NOW, None])
def test_mail_that_nobody_could_handle_is_forgotten_too_and_the_log_says_so(handled_at, caplog):
    old, fresh = (first_id_of(NOW - timedelta(days=days)) for days in (91, 89))
    for id_ in (old, fresh):
        InboundMail.objects.create(
            id=id_, kind="report", delivery_id=new_id(), data=b"", handled_at=handled_at
        )
    retention.retain(now=NOW)
    assert [mail.pk for mail in InboundMail.objects.all()] == [fresh]
    assert ("event=forgotten-unhandled table=deliveries_inboundmail rows=1" in caplog.text) is (
        handled_at is None
    )


def inbound(days, kind="feedback", *, is_proven=False, size=0):
    given = {
        "delivery_id": new_id() if is_proven else None,
        "handled_at": NOW,
        "data": os.urandom(size),
    }
    return InboundMail.objects.create(
        id=first_id_of(NOW - timedelta(days=days)), kind=kind, **given
    ).pk


@pytest.mark.parametrize(
    ("kind", "is_proven", "days"),
    [
        ("feedback", False, 7),
        ("postmaster", False, 30),
        ("abuse", False, 30),
        ("feedback", True, 90),
        ("report", True, 90),
    ],
)
def test_inbound_mail_is_kept_by_what_it_is(kind, is_proven, days):
    _, young = (inbound(age, kind, is_proven=is_proven) for age in (days + 0.01, days - 0.01))
    retention.retain(now=NOW)
    assert [mail.pk for mail in InboundMail.objects.all()] == [young]


@pytest.mark.parametrize("is_proven", [False, True])
def test_of_too_much_inbound_mail_the_oldest_goes(settings, is_proven):
    settings.EKIDEN_INBOUND_BYTES_PER_DAY = settings.EKIDEN_REPORT_BYTES_PER_DAY = 1_000_000
    settings.EKIDEN_DMARC_BYTES_PER_DAY = 0
    settings.EKIDEN_REPORT_BYTES_PER_DAY += (
        not is_proven
    )  # of the other kind there is little, and it stays
    other = inbound(6.9, "report", is_proven=not is_proven)
    mails = [inbound(6 - day, "postmaster", is_proven=is_proven, size=998_976) for day in range(6)]
    retention.retain(now=NOW)
    assert {mail.pk for mail in InboundMail.objects.all()} == {other, *mails[1:]}
    retention.retain(now=NOW)
    assert InboundMail.objects.count() == 6


def idle_lane(days, **given):
    return make.lane(f"mx-{days}-{len(given)}.test", idle_since=NOW - timedelta(days=days), **given)


@pytest.mark.parametrize(
    "reason",
    [
        {"closed_at": NOW},
        {"paused_until": timezone.now() + timedelta(hours=1)},
        {"is_forced": True},
        {"holder": first_id_of(NOW), "leased_until": NOW},
        {"rate": 2.0},
    ],
    ids=lambda reason: next(iter(reason)),
)
def test_an_idle_lane_that_is_of_use_stays(reason, project):
    kept, gone = idle_lane(91, **reason), idle_lane(91)
    retention.retain(now=NOW)
    assert set(Lane.objects.filter(pk__in=[kept.pk, gone.pk])) == {kept}


def test_an_idle_lane_with_live_mail_stays(project):
    lane = idle_lane(500)
    make.delivery(of=make.message(of=project), lane=lane)
    retention.retain(now=NOW)
    assert Lane.objects.filter(pk=lane.pk).exists()


def test_a_lane_stays_as_long_as_a_log_may_name_it(project):
    lane = idle_lane(91)
    make.project(log_days=120)
    retention.retain(now=NOW)
    assert Lane.objects.filter(pk=lane.pk).exists()


def test_a_learned_rate_ends_as_well(project):
    lane = idle_lane(401, rate=2.0)
    retention.retain(now=NOW)
    assert not Lane.objects.filter(pk=lane.pk).exists()


def test_a_lane_is_idle_from_when_no_domain_leads_there_until_one_does_again(project):
    lane = make.lane("mx.test")
    retention.retain(now=NOW)
    assert Lane.objects.get(pk=lane.pk).idle_since is not None
    make.leads_to(lane, "you.test")
    retention.retain(now=NOW)
    assert Lane.objects.get(pk=lane.pk).idle_since is None


def test_the_lanes_of_routing_and_of_parked_mail_are_never_idle(project):
    retention.retain(now=NOW)
    assert set(
        Lane.objects.filter(pk__in=[Lane.PARKED, Lane.ROUTING]).values_list("idle_since", flat=True)
    ) == {None}


@pytest.mark.django_db(transaction=True)
def test_a_table_that_cannot_be_emptied_holds_up_no_other(project, monkeypatch, caplog):
    broken = replace(
        next(table for table in kept.tables() if table.delete),
        name="broken",
        delete="DELETE FROM nowhere",
    )
    monkeypatch.setattr(suppressions_retained, "TABLES", (broken, *suppressions_retained.TABLES))
    sent = old(project, days=91)
    retention.retain(now=NOW)
    assert "key=deliveries.retention broken" in caplog.text
    assert not Message.objects.filter(pk=sent.pk).exists()


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
    job_queues.connect().delete(retention.PLACES)
    first = old(project, days=8)
    retention.take_turn(now=NOW)
    Content.objects.create(message=first, data=b"")
    retention.take_turn(now=NOW)
    assert Content.objects.filter(pk=first.pk).exists()
    assert 0 < job_queues.connect().ttl(retention.PLACES) <= retention.PLACES_LAST


def test_places_that_mean_nothing_are_passed_over(project):
    old(project, days=8)
    assert retention.retain(now=NOW, places={f"{project.pk} content": "nonsense"})
    assert not Content.objects.exists()
