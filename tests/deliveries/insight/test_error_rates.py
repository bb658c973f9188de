"""The tallies, what is made of them, and what they give cause to warn of."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from deliveries import jobs
from deliveries.insight import error_rates, tallies
from deliveries.insight.error_rates import ErrorFigures, RateScope
from deliveries.models import Alert, Stop, Tally
from deliveries.steering import alerts
from domains.models import AuditEntry
from suppressions.models import Policy
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


def now():
    return timezone.now()


def tally(credential, amount, category="delivered", *, hours=0, is_hard=None, provider="google"):
    hour = now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours)
    hard = category == "unknown_user" if is_hard is None else is_hard
    Tally.objects.create(
        hour=hour,
        project=credential.project,
        credential_id=credential.pk,
        provider=provider,
        category=category,
        is_hard=hard,
        amount=amount,
    )


@pytest.fixture
def credential():
    return make.credential()


def scope(hours=24, **given):
    return RateScope(now() - timedelta(hours=hours), now() + timedelta(hours=1), **given)


# --- merging ---
def test_differences_become_one_row_and_the_sums_stay(credential):
    for amount in (3, 4, -1):
        tally(credential, amount)
    tally(credential, 2, "unknown_user")
    assert tallies.merge(now=now())
    assert sorted(Tally.objects.values_list("category", "amount")) == [
        ("delivered", 6),
        ("unknown_user", 2),
    ]


@pytest.mark.parametrize("hours", [0, 1, 47])
def test_what_is_one_row_already_is_not_written_again(credential, hours):
    for category in ("delivered", "other"):
        tally(credential, 1, category, hours=hours)
    before = set(Tally.objects.values_list("pk", flat=True))
    assert tallies.merge(now=now())
    assert set(Tally.objects.values_list("pk", flat=True)) == before


@pytest.mark.parametrize("rows", [4, 5, 6, 11])
def test_many_rows_are_merged_batch_by_batch(credential, monkeypatch, rows):
    monkeypatch.setattr(tallies, "BATCH", 5)
    for _ in range(rows):
        tally(credential, 1)
    assert tallies.merge(now=now())
    assert list(Tally.objects.values_list("amount", flat=True)) == [rows]


def test_a_turn_ends_when_its_time_is_over_and_the_next_goes_on(credential, monkeypatch, valkey):
    monkeypatch.setattr(tallies, "BATCH", 2)
    for hours in (0, 3):
        for _ in range(8):
            tally(credential, 1, hours=hours)
    assert not tallies.merge(now=now(), seconds=0)
    assert sum(Tally.objects.values_list("amount", flat=True)) == 16
    assert Tally.objects.count() == 15
    turns = 1
    while not tallies.merge(now=now(), seconds=0):
        turns += 1
        assert turns < 50
    assert sorted(Tally.objects.values_list("amount", flat=True)) == [8, 8]


def test_a_turn_that_was_too_short_rings_for_the_next(monkeypatch, valkey):
    monkeypatch.setattr(tallies, "merge", lambda now: False)
    jobs.add_up()
    assert valkey.llen("rq:queue:maintenance") == 1


def test_what_comes_to_nothing_goes(credential):
    tally(credential, 1)
    tally(credential, -1)
    tallies.merge(now=now())
    assert not Tally.objects.exists()


def test_writers_lose_nothing_while_it_is_merged(credential):
    def write():
        for _ in range(100):
            tally(credential, 1)
        connection.close()

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        tallies.merge(now=now())
    tallies.merge(now=now())
    assert list(Tally.objects.values_list("amount", flat=True)) == [300]


# --- rates ---
def test_a_rate_compares_what_failed_with_what_ended(credential):
    tally(credential, 90)
    tally(credential, 6, "unknown_user")
    tally(credential, 4, "mailbox_full")
    tally(credential, 50, "suppressed")
    tally(credential, 1, "complaint")
    found = error_rates.total(scope())
    assert found == ErrorFigures(ended=100, hard=6, soft=4, suppressed=50, complaints=1)
    assert (found.hard_rate, found.soft_rate) == (6.0, 4.0)


def test_a_late_bounce_is_one_less_delivered(credential):
    tally(credential, 10)
    tally(credential, -1)
    tally(credential, 1, "unknown_user")
    assert error_rates.total(scope()) == ErrorFigures(ended=10, hard=1)


def test_without_mail_there_is_no_rate():
    assert (error_rates.total(scope()).hard_rate, error_rates.series(scope())[0][1]) == (
        0.0,
        ErrorFigures(),
    )


def test_it_is_told_by_project_credential_receiver_and_class(credential):
    tally(credential, 8)
    tally(credential, 2, "unknown_user", provider="docomo")
    assert error_rates.by("project", scope()) == {
        credential.project_id: ErrorFigures(ended=10, hard=2)
    }
    assert error_rates.by("credential", scope()) == {credential.pk: ErrorFigures(ended=10, hard=2)}
    assert error_rates.by("provider", scope()) == {
        "docomo": ErrorFigures(ended=2, hard=2),
        "google": ErrorFigures(ended=8),
    }
    assert error_rates.by("class", scope()) == {"unknown_user": ErrorFigures(ended=10, hard=2)}


@pytest.mark.parametrize("narrow", [{"projects": []}, {"credential": 0}, {"provider": "yahoo"}])
def test_it_is_narrowed(credential, narrow):
    tally(credential, 8)
    assert error_rates.total(scope(**narrow)) == ErrorFigures()


def test_one_class_is_compared_with_all_that_ended(credential):
    tally(credential, 8)
    tally(credential, 1, "unknown_user")
    tally(credential, 1, "mailbox_full")
    assert error_rates.total(scope(class_="mailbox_full")) == ErrorFigures(ended=10, soft=1)


def test_a_day_has_its_hours_and_a_month_its_days(credential):
    tally(credential, 5, hours=3)
    hourly, daily = error_rates.series(scope()), error_rates.series(scope(720))
    assert len(hourly) in (25, 26)
    assert len(daily) in (31, 32)
    assert sum(each.ended for _, each in hourly) == sum(each.ended for _, each in daily) == 5


def test_the_command_tells_rates_and_alerts(credential):
    tally(credential, 90)
    tally(credential, 10, "unknown_user")
    alerts.check(now=now())
    told = ekiden("stats", "--by", "credential")
    assert "10 (10.0 %)" in told
    assert f"Alert since {timezone.localtime(now()):%Y-%m-%d}" in told
    facts = ekiden_json("stats", "--by", "class")
    assert facts["rows"] == [
        {
            "name": "unknown_user",
            "ended": 100,
            "hard": 10,
            "soft": 0,
            "suppressed": 0,
            "complaints": 0,
            "hard_rate": 10.0,
            "soft_rate": 0.0,
        }
    ]
    assert facts["alerts"] == [str(credential)]


# --- alerts ---
def bounces(credential, hard, of=100, **given):
    tally(credential, of - hard, **given)
    tally(credential, hard, "unknown_user", **given)


def test_an_alert_opens_at_the_threshold_once_and_is_on_record(credential):
    bounces(credential, 5)
    assert alerts.check(now=now()) == (1, 0)
    assert alerts.check(now=now()) == (0, 0)
    alert = Alert.objects.get()
    assert (alert.credential, alert.bounced, alert.total, alert.rate, alert.has_paused) == (
        credential,
        5,
        100,
        5.0,
        False,
    )
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action) == ("alert", "alert")
    assert "5 of 100" in entry.reason
    assert not Stop.objects.exists()


@pytest.mark.parametrize(("hard", "of"), [(4, 100), (5, 99)])
def test_below_the_threshold_or_of_too_few_there_is_none(credential, hard, of):
    bounces(credential, hard, of)
    assert alerts.check(now=now()) == (0, 0)


def test_what_is_older_than_the_projects_hours_does_not_count(credential):
    Policy.objects.create(project=credential.project, alert_hours=2)
    bounces(credential, 50, hours=3)
    assert alerts.check(now=now()) == (0, 0)


def test_it_ends_only_well_below_the_threshold(credential):
    bounces(credential, 5)
    alerts.check(now=now())
    tally(credential, 15)  # 4.3 %: below 5, above 4
    assert alerts.check(now=now()) == (0, 0)
    tally(credential, 20)  # 3.7 %
    assert alerts.check(now=now()) == (0, 1)
    assert Alert.objects.get().ended_at is not None


def test_a_project_may_have_the_credential_paused_until_a_person_resumes_it(credential):
    Policy.objects.create(project=credential.project, pauses_credential=True)
    bounces(credential, 10)
    alerts.check(now=now())
    standing = Stop.objects.get()
    assert (standing.scope, standing.credential, standing.created_by) == (
        "credential",
        credential,
        "alert",
    )
    assert "10 of 100" in standing.reason
    assert Alert.objects.get().has_paused
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {"alert", "pause"}


def test_a_rate_of_0_switches_alerts_off(credential):
    Policy.objects.create(project=credential.project, alert_rate=0)
    bounces(credential, 90)
    assert alerts.check(now=now()) == (0, 0)


@pytest.mark.parametrize("night", ["2026-03-29", "2026-10-25"])
def test_the_night_in_which_clocks_change_has_each_of_its_hours_once(credential, night):
    midnight = datetime.fromisoformat(night).replace(tzinfo=UTC)
    hours = [midnight + timedelta(hours=each) for each in range(-1, 5)]
    for hour in hours:
        Tally.objects.create(
            hour=hour, project=credential.project, credential_id=credential.pk, amount=1,
            provider="google", category="delivered", is_hard=False,
        )  # fmt: skip
    with timezone.override("Europe/Berlin"):
        found = error_rates.series(RateScope(hours[0], hours[-1] + timedelta(hours=1)))
    assert [(at, each.ended) for at, each in found] == [(hour, 1) for hour in hours]
