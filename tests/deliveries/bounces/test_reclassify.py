"""A second look at old answers: counted first, carried out when wanted, and what becomes of the
suppressions.
"""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from deliveries.bounces import learning, reclassify
from deliveries.classification import classifier
from deliveries.message import compression
from deliveries.models import Attempt, InboundMail, LocalRule, Reclassification
from domains.models import AuditEntry, ItemKind, SetAside
from suppressions import recording
from suppressions.models import Occurrence, Suppression
from suppressions.recording import Given
from tests.deliveries import make
from tests.deliveries.bounces.test_receive import REPORT
from tests.deliveries.stage import in_thread
from tests.deliveries.steering.test_two_workers import is_held_up

pytestmark = pytest.mark.usefixtures("mail_db")
ODD = "Kunde verzogen"


@pytest.fixture(autouse=True)
def none_left():
    yield
    classifier.add(None)


def local_rule(category="unknown_user", **given):
    defaults = {
        "name": "moved",
        "is_hard": category == "unknown_user",
        "pattern": "kunde verzogen",
        "example": ODD,
    }
    return LocalRule.objects.create(category=category, **defaults | given)


def refused(project=None, *, days=1, category="other", is_hard=False, text=ODD, **given):
    """Return a delivery that was refused some days ago, as it was understood then."""
    delivery = make.delivery(
        of=make.message(project or make.project()),
        state="bounced",
        due_at=None,
        ended_at=timezone.now(),
    )
    Attempt.objects.create(
        delivery=delivery,
        outcome="bounced",
        stage="rcpt",
        code=550,
        text=text,
        category=category,
        rule="old",
    )
    defaults = {
        "address_key": "you@mx.test",
        "kind": "reply",
        "rule": "old",
        "stage": "rcpt",
        "code": 550,
        "handled_at": timezone.now(),
    }
    return Occurrence.objects.create(
        project=delivery.project, category=category, is_hard=is_hard, text=text,
        delivery_id=delivery.pk,
        at=timezone.now() - timedelta(days=days), **defaults | given,
    )  # fmt: skip


def look():
    made = Reclassification.objects.create(created_by="otto")
    reclassify.count(made.pk)
    made.refresh_from_db()
    return made


def carry_out(made):
    Reclassification.objects.filter(pk=made.pk).update(state="applying")
    reclassify.apply(made.pk)
    made.refresh_from_db()


def test_first_it_is_only_counted():
    known = refused()
    local_rule()
    made = look()
    assert (made.state, made.seen, made.changed, made.table) == (
        "counted",
        1,
        1,
        [["other", "unknown_user", False, True, 1]],
    )
    assert made.version.startswith(f"{classifier.version()}+")  # with the local rule's
    known.refresh_from_db()
    assert known.category == "other"
    assert not Suppression.objects.exists()


def test_then_classes_are_written_anew_and_the_policies_judge():
    known = refused()
    local_rule()
    made = look()
    carry_out(made)
    known.refresh_from_db()
    assert (known.category, known.is_hard, known.rule) == ("unknown_user", True, "local/moved")
    assert Attempt.objects.get().category == "unknown_user"
    assert (made.state, made.renewed, made.lifted) == ("done", 1, 0)
    assert Suppression.objects.get().address_key == "you@mx.test"
    assert look().changed == 0


def test_rules_that_nobody_has_seen_counted_are_counted_first():
    known = refused()
    made = look()
    local_rule()
    carry_out(made)
    known.refresh_from_db()
    assert (made.state, made.changed, known.category) == ("counted", 1, "other")
    carry_out(made)
    known.refresh_from_db()
    assert (made.state, known.category) == ("done", "unknown_user")


def test_a_suppression_that_the_rules_of_today_would_not_make_is_lifted():
    refused(category="unknown_user", is_hard=True, handled_at=None)
    learning.take_turn(now=timezone.now())
    assert Suppression.objects.exists()
    local_rule("policy")
    made = look()
    carry_out(made)
    assert not Suppression.objects.exists()
    assert made.lifted == 1
    assert AuditEntry.objects.get(action="lift").actor == "second look"


def test_whom_older_tables_called_dead_wrongly_is_shown_and_then_lifted():
    sure = {"category": "unknown_user", "is_hard": True, "handled_at": None, "enhanced": "5.1.1"}
    refused(text="Access denied", **sure)
    learning.take_turn(now=timezone.now())
    made = look()
    assert made.table == [["unknown_user", "recipient_refused", True, False, 1]]
    assert Suppression.objects.exists()
    carry_out(made)
    assert not Suppression.objects.exists()


def test_one_that_other_bounces_still_bear_out_stays():
    project = make.project()
    refused(project, category="unknown_user", is_hard=True, handled_at=None)
    refused(
        project,
        category="unknown_user",
        is_hard=True,
        handled_at=None,
        text="550 5.1.1 no such user here",
        enhanced="5.1.1",
    )
    learning.take_turn(now=timezone.now())
    local_rule("policy")
    carry_out(look())
    assert Suppression.objects.count() == 1


def test_what_a_person_suppressed_stays():
    known = refused(category="unknown_user", is_hard=True)
    Suppression.objects.create(
        project=known.project,
        address_key="you@mx.test",
        source="person",
        reason="asked",
        is_hard=True,
    )
    local_rule("policy")
    carry_out(look())
    assert Suppression.objects.exists()


def test_only_the_last_30_days_are_looked_at():
    refused(days=31)
    local_rule()
    assert look().seen == 0


def test_a_report_is_read_again_as_a_whole():
    data = REPORT % b"failed"
    mail = InboundMail.objects.create(
        kind="report",
        data=compression.compress(data, (), size=len(data)),
        handled_at=timezone.now(),
    )
    refused(kind="report", inbound_id=mail.pk, text="something else")
    assert look().table == [["other", "unknown_user", False, True, 1]]


def test_a_report_that_is_kept_no_longer_is_left_as_it_is():
    refused(kind="report")
    local_rule()
    assert (look().seen, look().changed) == (1, 0)


@pytest.mark.parametrize("place", range(3))
def test_of_a_poisoned_answer_the_look_does_all_but_that(place, poison):
    project = make.project()
    known = [refused(project, address_key=f"{number}@mx.test") for number in range(3)]
    local_rule()
    made = look()
    poison(known[place])
    carry_out(made)
    for each in known:
        each.refresh_from_db()
    assert [each.category for each in known] == [
        "other" if number == place else "unknown_user" for number in range(3)
    ]
    assert (made.state, made.renewed, Suppression.objects.count()) == ("done", 2, 2)
    aside = SetAside.objects.get()
    assert (aside.kind, aside.key, aside.set_aside_at is not None) == (
        ItemKind.SECOND_LOOK,
        str(known[place].pk),
        True,
    )


def test_a_second_ring_does_nothing():
    refused()
    local_rule()
    made = look()
    reclassify.apply(made.pk)  # nobody asked for it
    assert Occurrence.objects.get().category == "other"
    carry_out(made)
    reclassify.apply(made.pk)
    assert Suppression.objects.get().count == 1


def test_a_complaint_that_comes_as_a_suppression_is_found_unfounded_stands():
    softer = refused(text="mailbox full", category="other")
    now = timezone.now()
    given = Given(softer.project_id, "you@mx.test", Suppression.SuppressedBy.AUTOMATIC, "550 no",
        now, now, category="unknown_user", is_hard=True)  # fmt: skip
    recording.suppress([given])

    def lift():
        with transaction.atomic():
            reclassify._lift_unfounded([softer])

    other = threading.Thread(target=in_thread, args=[lift])
    with transaction.atomic():
        recording.suppress([replace(given, source=Suppression.SuppressedBy.COMPLAINT)])
        other.start()
        while other.is_alive() and not is_held_up():
            pass
    other.join()
    assert Suppression.objects.get().source == "complaint"
