"""Whatever waits in PostgreSQL for a job is found again by a job of the schedule: Valkey may be
wiped, and workers are killed.
"""

import io
from datetime import timedelta

import pytest
from django.apps import apps
from django.db import models
from django.utils import timezone

from deliveries import jobs
from deliveries.backends.job_queues import DELIVERIES
from deliveries.classification import classifier
from deliveries.jobs import schedule
from deliveries.jobs.worker import FUNCTIONS
from deliveries.models import Reclassification
from domains.foundation.upkeep.job_leases import Lease, LeaseLost
from domains.models import ItemKind, SetAside
from domains.operations import isolation
from suppressions.exchange import importing, staging
from suppressions.models import Import, Suppression

OURS = ("domains", "suppressions", "deliveries", "smtp_listener", "relay_portal")
FINAL = "nobody: it has ended"
PERSON = "a person, who sees it in the portal"
DRAIN = "deliveries.jobs.drain"
WATCH = "domains.jobs.watch_keys"
WATCH_PATHS = "domains.jobs.watch_return_paths"
CARRY_ON = "deliveries.jobs.carry_on"
WARM_UP = "deliveries.jobs.warm_up"

# Who moves a row on from each state. A new state has to be written down here, with a job of the
# schedule that finds it.
STATES = {
    "deliveries.Delivery": {
        "queued": DRAIN, "deferred": DRAIN, "delivered": FINAL, "bounced": FINAL, "expired": FINAL,
        "suppressed": FINAL, "cancelled": FINAL,
    },
    "deliveries.MessageExport": {"running": CARRY_ON, "done": FINAL, "failed": FINAL},
    "deliveries.Reclassification": {
        "counting": CARRY_ON, "counted": PERSON, "applying": CARRY_ON, "done": FINAL,
        "failed": FINAL,
    },
    "deliveries.Source": {
        "cold": PERSON, "warming": WARM_UP, "warm": WARM_UP, "resting": PERSON, "out": PERSON,
    },
    "domains.ReturnPath": {
        "found": WATCH_PATHS, "used": WATCH_PATHS, "broken": WATCH_PATHS, "former": FINAL,
    },
    "domains.SigningKey": {
        "made": WATCH, "published": WATCH, "seen": WATCH, "signing": PERSON, "retiring": WATCH,
        "retired": FINAL,
    },
    "suppressions.Import": {"waiting": PERSON, "running": CARRY_ON, "done": FINAL, "failed": FINAL},
}  # fmt: skip
# The same for what is open until a time is written.
OPEN = {
    ("deliveries.Alert", "ended_at"): "deliveries.jobs.add_up",
    ("deliveries.Delivery", "ended_at"): "deliveries.jobs.sweep",
    ("deliveries.InboundMail", "handled_at"): "deliveries.jobs.receive_reports",
    ("deliveries.MessageExport", "ended_at"): CARRY_ON,
    ("deliveries.Order", "finished_at"): "deliveries.jobs.carry_out_orders",
    ("deliveries.Reclassification", "ended_at"): CARRY_ON,
    ("deliveries.TenantCase", "ended_at"): "deliveries.jobs.add_up",
    ("domains.IdentityAlert", "ended_at"): "deliveries.jobs.watch_authentication",
    ("domains.DomainAlert", "ended_at"): "domains.jobs.verify_domains",
    ("suppressions.Brake", "ended_at"): PERSON,
    ("suppressions.Import", "ended_at"): CARRY_ON,
    ("suppressions.Occurrence", "handled_at"): "deliveries.jobs.learn",
}
# Jobs that only do at once what one of the schedule does later.
SHORTCUTS = {
    "suppressions.exchange.importing.run": CARRY_ON,
    "deliveries.search.exporting.run": CARRY_ON,
    "deliveries.bounces.reclassify.count": CARRY_ON,
    "deliveries.bounces.reclassify.apply": CARRY_ON,
    "domains.jobs.verify_domain": "domains.jobs.verify_domains",
}
SCHEDULED = {f"{function.__module__}.{function.__name__}" for function, _ in schedule.TABLE} | {
    DRAIN
}


def fields():
    for model in apps.get_models():
        if model._meta.app_label in OURS:
            for field in model._meta.fields:
                yield model._meta.label, field


def test_each_state_has_somebody_who_moves_it():
    found = {
        label: {value for value, _ in field.flatchoices}
        for label, field in fields()
        if field.name == "state" and field.flatchoices
    }
    assert found == {label: set(movers) for label, movers in STATES.items()}


def test_each_open_end_has_somebody_who_closes_it():
    ends = {
        (label, field.name)
        for label, field in fields()
        if isinstance(field, models.DateTimeField) and is_end(field)
    }
    assert ends == OPEN.keys()


def is_end(field):
    return field.null and field.name in {
        "ended_at",
        "finished_at",
        "handled_at",
        "done_at",
        "completed_at",
    }


def test_who_moves_them_is_rung_regularly(valkey):
    movers = (
        {mover for states in STATES.values() for mover in states.values()}
        | set(OPEN.values())
        | set(SHORTCUTS.values())
    )
    assert movers - {FINAL, PERSON} <= SCHEDULED
    built = schedule.scheduler().get_jobs()
    assert len(built) == len(SCHEDULED)
    assert [job.queue_name for job in built].count(DELIVERIES) == 1


def test_each_job_is_of_the_schedule_or_a_shortcut():
    assert FUNCTIONS.keys() == SCHEDULED | SHORTCUTS.keys()


# --- the leases -----------------------------------------------------------------------------------
def addresses(amount):
    return b"email\r\n" + b"".join(b"u%d@x.test\r\n" % number for number in range(amount))


def wanted(amount=5, **given):
    row = Import(name="list.csv", created_by="otto", state="running", **given)
    importing.keep(row, io.BytesIO(addresses(amount)))
    row.save()
    return row


def over():
    return timezone.now() - timedelta(seconds=1)


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(staging, "BATCH", 2)


@pytest.mark.usefixtures("mail_db")
@pytest.mark.parametrize(
    "leased_until", [None, over()], ids=["its ring was lost", "its worker died"]
)
def test_an_import_that_nobody_is_at_is_gone_on_with(leased_until):
    row = wanted(leased_until=leased_until)
    jobs.carry_on()
    row.refresh_from_db()
    assert (row.state, row.lines, row.added, bytes(row.data)) == ("done", 5, 5, b"")
    assert not SetAside.objects.exists()


class Killed(BaseException):
    """What no handler of ours sees."""


@pytest.mark.usefixtures("mail_db", "small_batches")
def test_an_import_goes_on_where_its_worker_died_and_counts_nothing_twice(monkeypatch):
    row, note, batches = wanted(), importing._note, []

    def dies(row, progress):
        note(row, progress)
        batches.append(progress.lines)
        if len(batches) == 2:
            raise Killed

    monkeypatch.setattr(importing, "_note", dies)
    with pytest.raises(Killed):
        importing.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.lines, Suppression.objects.count()) == ("running", 2, 2)
    jobs.carry_on()
    assert len(batches) == 2, "its lease is not over"
    Import.objects.update(leased_until=over())
    jobs.carry_on()
    row.refresh_from_db()
    assert (row.state, row.lines, row.added, row.updated, Suppression.objects.count()) == (
        "done",
        5,
        5,
        0,
        5,
    )


@pytest.mark.usefixtures("mail_db")
def test_a_file_that_ends_its_worker_again_and_again_is_given_up(monkeypatch):
    row = wanted()

    def dies(*_):
        raise Killed

    monkeypatch.setattr(importing, "_note", dies)
    for _ in range(3):
        with pytest.raises(Killed):
            jobs.carry_on()
        SetAside.objects.update(retry_at=over())
        Import.objects.update(leased_until=over())
    jobs.carry_on()
    row.refresh_from_db()
    assert (row.state, row.leased_until, "again and again" in row.errors[0]["why"]) == (
        "failed",
        None,
        True,
    )
    assert SetAside.objects.get(kind=ItemKind.IMPORT).set_aside_at is not None


@pytest.mark.usefixtures("mail_db")
def test_a_command_that_was_killed_over_its_file_says_so():
    row, _ = importing.begin(name="list.csv", project=None, by="otto")
    jobs.carry_on()
    row.refresh_from_db()
    assert row.state == "running"
    Import.objects.update(leased_until=over())
    jobs.carry_on()
    row.refresh_from_db()
    assert (row.state, "ended before it was through" in row.errors[0]["why"]) == ("failed", True)


@pytest.mark.usefixtures("mail_db", "small_batches")
def test_who_was_stopped_for_so_long_that_another_took_over_writes_nothing_more(monkeypatch):
    row, take_entries = wanted(), staging.take_entries

    def late(*words):
        take_entries(*words)
        Import.objects.update(leased_until=timezone.now() + timedelta(hours=1))  # the other's

    monkeypatch.setattr(importing, "take_entries", late)
    importing.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.lines, Suppression.objects.count()) == ("running", 0, 0)
    assert not SetAside.objects.exists()


@pytest.mark.usefixtures("mail_db")
@pytest.mark.parametrize(("state", "then"), [("counting", "counted"), ("applying", "done")])
@pytest.mark.parametrize(
    "leased_until", [None, over()], ids=["its ring was lost", "its worker died"]
)
def test_a_second_look_that_nobody_is_at_is_gone_on_with(state, then, leased_until):
    made = Reclassification.objects.create(
        created_by="otto", state=state, leased_until=leased_until, version=classifier.version()
    )
    jobs.carry_on()
    made.refresh_from_db()
    assert (made.state, made.leased_until) == (then, None)


@pytest.mark.usefixtures("mail_db")
def test_a_second_look_that_another_is_at_is_left_to_it():
    made = Reclassification.objects.create(created_by="otto")
    lease = Lease.take(Reclassification.objects.filter(pk=made.pk))
    jobs.carry_on()
    made.refresh_from_db()
    assert made.state == "counting"
    lease.renew()
    Reclassification.objects.update(leased_until=over())
    with pytest.raises(LeaseLost):
        lease.renew()


@pytest.mark.usefixtures("mail_db")
def test_a_second_look_that_ends_its_worker_again_and_again_fails():
    made = Reclassification.objects.create(created_by="otto", leased_until=over())
    for _ in range(2):
        isolation.begin_again(ItemKind.SECOND_LOOK, f"look {made.pk}")
    SetAside.objects.update(retry_at=over())
    jobs.carry_on()
    made.refresh_from_db()
    assert made.state == "failed"
