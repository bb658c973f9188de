import threading
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from domains.models import AuditEntry
from suppressions import probation, recording
from suppressions.models import Occurrence, Suppression
from suppressions.probation import ProbeStatus
from suppressions.recording import Given
from tests.deliveries import make
from tests.deliveries.stage import in_thread
from tests.deliveries.steering.test_two_workers import is_held_up

pytestmark = pytest.mark.django_db


def trying(**given):
    """Return a suppression whose address a delivery is trying."""
    now = timezone.now()
    defaults = {
        "address_key": "gone@mx.test",
        "category": "unknown_user",
        "is_hard": True,
        "reason": "550 no",
        "probation_at": now,
    }
    probe = make.delivery()
    return Suppression.objects.create(
        **{"project": make.project(), "probe_id": probe.pk, "probe_until": now + timedelta(days=1)}
        | defaults
        | given
    )


def settle(row, fate):
    return probation.settle(lambda ids: {row.probe_id: fate} if fate else {}, now=timezone.now())


def test_a_delivery_lifts_the_suppression_on_record():
    assert settle(trying(), ProbeStatus.DELIVERED) == 1
    assert not Suppression.objects.exists()
    assert AuditEntry.objects.get().actor == "probation"


def test_a_failure_renews_it_for_as_long_as_the_policy_says():
    row = trying()
    assert settle(row, ProbeStatus.FAILED) == 0
    row.refresh_from_db()
    assert (row.probe_id, row.count) == (None, 2)
    assert row.probation_at > timezone.now() + timedelta(days=179)


def test_a_persons_own_is_renewed_as_a_soft_one():
    row = trying(source="person", category="", is_hard=False, project=None)
    settle(row, ProbeStatus.FAILED)
    row.refresh_from_db()
    assert timedelta(days=29) < row.probation_at - timezone.now() < timedelta(days=31)


def test_while_it_is_under_way_nothing_changes():
    row = trying()
    settle(row, ProbeStatus.LIVE)
    assert Suppression.objects.get().probe_id == row.probe_id


def test_many_that_are_under_way_hold_up_none_that_has_arrived(monkeypatch):
    monkeypatch.setattr(probation, "BATCH", 2)
    rows = [trying(address_key=f"gone{number}@mx.test") for number in range(5)]
    arrived = rows[-1].probe_id
    fates = {row.probe_id: ProbeStatus.LIVE for row in rows} | {arrived: ProbeStatus.DELIVERED}
    assert probation.settle(lambda ids: {id_: fates[id_] for id_ in ids}, now=timezone.now()) == 1
    assert Suppression.objects.count() == 4


@pytest.mark.parametrize("fate", [ProbeStatus.NONE, None])
def test_one_that_never_tried_leaves_the_place_to_the_next(fate):
    settle(trying(), fate)
    row = Suppression.objects.get()
    assert (row.probe_id, row.probation_at <= timezone.now()) == (None, True)


def test_what_is_over_is_removed():
    Suppression.objects.create(
        address_key="gone@mx.test", reason="asked", until=timezone.now() - timedelta(seconds=1)
    )
    kept = Suppression.objects.create(
        address_key="kept@mx.test", reason="asked", until=timezone.now() + timedelta(days=1)
    )
    assert probation.end_outdated(now=timezone.now()) == 1
    assert Suppression.objects.get() == kept


@pytest.mark.parametrize("fate", [ProbeStatus.FAILED, ProbeStatus.DELIVERED])
def test_a_complaint_that_comes_as_a_probation_ends_stands(mail_db, fate):
    """The mail that arrived on probation may be the one that is complained of."""
    row = trying()
    now = timezone.now()
    complaint = Given(
        row.project_id, row.address_key, Suppression.SuppressedBy.COMPLAINT, "abuse", now, now
    )
    other = threading.Thread(target=in_thread, args=[lambda: settle(row, fate)])
    with transaction.atomic():
        recording.suppress([complaint])
        other.start()
        while other.is_alive() and not is_held_up():
            pass
    other.join()
    settle(row, fate)
    kept = Suppression.objects.get()
    assert (kept.source, kept.probation_at, kept.probe_id) == ("complaint", None, None)


def test_a_complaint_that_nobody_has_looked_at_outlives_the_probation():
    row = trying()
    given = {"project_id": row.project_id, "address_key": row.address_key}
    bounce = Occurrence.objects.create(kind="reply", is_hard=True, **given)
    Occurrence.objects.create(kind="complaint", category="complaint", is_hard=False, **given)
    assert settle(row, ProbeStatus.DELIVERED) == 1
    bounce.refresh_from_db()
    assert bounce.is_void
    assert recording.take_turn(lambda keys: {}, now=timezone.now()) == 1
    assert Suppression.objects.get().source == "complaint"
