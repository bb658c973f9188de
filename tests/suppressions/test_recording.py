import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from suppressions import recording
from suppressions.lifting import lift
from suppressions.models import Occurrence, Policy, Suppression
from suppressions.recording import Given, suppress
from tests.deliveries import make
from tests.deliveries.stage import in_thread
from tests.deliveries.steering.test_two_workers import is_held_up

pytestmark = pytest.mark.django_db


def occurrence(project, key="gone@mx.test", *, days=0, **given):
    defaults = {
        "kind": "reply",
        "category": "unknown_user",
        "is_hard": True,
        "stage": "rcpt",
        "code": 550,
        "enhanced": "5.1.1",
    }
    at = timezone.now() - timedelta(days=days)
    return Occurrence.objects.create(
        **{"project": project, "address_key": key, "text": "no such user", "at": at}
        | defaults
        | given
    )


def soft(project, **given):
    return occurrence(project, category="recipient_refused", is_hard=False, **given)


def turn(delivered=None):
    return recording.take_turn(lambda keys: delivered or {}, now=timezone.now())


def test_a_hard_bounce_suppresses_with_its_evidence():
    project = make.project()
    delivery = make.delivery()
    occurrence(project, host="in.mx.test", rule="unknown_user/no-such", delivery_id=delivery.pk)
    assert turn() == 1
    row = Suppression.objects.get()
    assert (row.project, row.address_key, row.source) == (project, "gone@mx.test", "automatic")
    assert (row.category, row.is_hard) == ("unknown_user", True)
    assert row.evidence["rule"] == "unknown_user/no-such"
    assert row.evidence["delivery"] == str(delivery.pk)
    assert row.reason == "Unknown recipient: 550 5.1.1 no such user"


def test_each_occurrence_is_looked_at_once():
    occurrence(make.project())
    assert (turn(), turn()) == (1, 0)
    assert not Occurrence.objects.filter(handled_at__isnull=True).exists()


def test_the_projects_own_policy_decides():
    project = make.project()
    Policy.objects.create(project=project, permanent=2)
    occurrence(project)
    assert turn() == 0
    occurrence(project)
    assert turn() == 1
    assert Suppression.objects.get().count == 2


def test_another_projects_bounces_do_not_count():
    soft(make.project())
    soft(make.project())
    soft(make.project())
    assert turn() == 0


def test_a_delivery_in_between_is_asked_for():
    project = make.project()
    for days in (3, 2, 0):
        soft(project, days=days)
    assert turn({(project.pk, "gone@mx.test"): timezone.now() - timedelta(days=1)}) == 0


def test_what_was_lifted_counts_no_more():
    project = make.project()
    for days in (3, 2):
        soft(project, days=days, is_void=True)
    soft(project)
    assert turn() == 0


def test_a_bounce_of_a_suppressed_address_is_counted_and_renews_it():
    project = make.project()
    occurrence(project, days=1)
    turn()
    Suppression.objects.update(probe_id=make.delivery().pk, probe_until=timezone.now())
    first = Suppression.objects.get()
    occurrence(project)
    turn()
    row = Suppression.objects.get()
    assert (row.count, row.probe_id) == (2, None)
    assert row.last_seen_at > first.last_seen_at
    assert row.probation_at > first.probation_at


@pytest.mark.parametrize("source", ["person", "complaint", "unsubscribe"])
def test_a_bounce_does_not_overrule_what_people_said(source):
    project = make.project()
    Suppression.objects.create(
        project=project, address_key="gone@mx.test", source=source, reason="asked us to"
    )
    occurrence(project)
    turn()
    row = Suppression.objects.get()
    assert (row.source, row.reason, row.count, row.probation_at) == (source, "asked us to", 2, None)


def test_a_complaint_overrules_a_bounce():
    project = make.project()
    occurrence(project)
    turn()
    occurrence(
        project,
        kind="complaint",
        category="complaint",
        is_hard=False,
        code=None,
        enhanced="",
        text="",
    )
    turn()
    row = Suppression.objects.get()
    assert (row.source, row.category, row.probation_at) == ("complaint", "complaint", None)


def test_an_unsubscription_says_so_in_the_reason():
    occurrence(
        make.project(),
        kind="unsubscribe",
        category="",
        is_hard=False,
        code=None,
        enhanced="",
        text="",
    )
    turn()
    row = Suppression.objects.get()
    assert (row.source, row.reason) == ("unsubscribe", "Unsubscribed by the recipient")


def test_thousands_are_looked_at_in_one_turn():
    project = make.project()
    at = timezone.now()
    Occurrence.objects.bulk_create(
        Occurrence(
            project=project,
            address_key=f"gone{number}@mx.test",
            kind="reply",
            category="unknown_user",
            is_hard=True,
            at=at,
        )
        for number in range(recording.BATCH + 5)
    )
    assert turn() == recording.BATCH + 5


def test_suppressing_tells_the_new_from_the_known():
    now = timezone.now()
    given = [
        Given(None, f"{name}@mx.test", Suppression.SuppressedBy.PERSON, "asked", now, now)
        for name in "ab"
    ]
    assert suppress(given[:1]) == (1, 0)
    assert suppress(given) == (1, 1)


def test_what_a_person_lifts_while_a_bounce_of_it_is_judged_stays_lifted(mail_db):
    """Neither waits for what the other has, and nothing is made again of what was lifted."""
    project = make.project()
    occurrence(project)
    assert turn() == 1
    occurrence(project)
    ids = [Suppression.objects.get().pk]
    lifting = threading.Thread(
        target=in_thread, args=[lambda: lift(ids, reason="asked", actor="otto")]
    )

    def meanwhile(keys):
        lifting.start()
        while lifting.is_alive() and not is_held_up():
            pass
        return {}

    recording.take_turn(meanwhile, now=timezone.now())
    lifting.join()
    assert not Suppression.objects.exists()
    assert turn() == 0
