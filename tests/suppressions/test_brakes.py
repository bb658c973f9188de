"""Too many domains that turn dead at once are believed by nobody but a person."""

import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from domains.models import AuditEntry
from relay_portal.doctor import mail
from relay_portal.doctor.finding import Level
from suppressions import brakes, recording
from suppressions.models import Brake, Occurrence, Suppression
from tests.deliveries import make
from tests.deliveries.stage import in_thread
from tests.deliveries.steering.test_two_workers import is_held_up
from tests.suppressions.test_recording import occurrence, turn

pytestmark = pytest.mark.django_db


def wave(project, domains, *, category="unknown_domain", **given):
    for number in range(domains):
        occurrence(project, f"you@d{number}.test", category=category, **given)


def test_a_resolver_that_fails_suppresses_nobody_and_says_so(caplog):
    project = make.project()
    wave(project, brakes.LEAST)
    with caplog.at_level("WARNING", logger="ekiden.mail"):
        assert turn() == 0
    assert not Suppression.objects.exists() and Brake.objects.get().domains == brakes.LEAST
    assert "event=learning-stopped class=unknown_domain" in caplog.text
    assert AuditEntry.objects.get(action="brake").reason.startswith(
        "20 domains turned unknown_domain"
    )
    [finding] = mail.learning()
    assert finding.level is Level.BAD and "suppression believe unknown_domain" in finding.advice


@pytest.mark.parametrize("category", ["unknown_user", "network", "mailbox_disabled"])
def test_the_brake_is_for_any_class(category):
    wave(make.project(), brakes.LEAST, category=category)
    assert turn() == 0 and not Suppression.objects.exists()


def test_what_was_believed_at_the_beginning_of_it_is_taken_back():
    project = make.project()
    wave(project, brakes.LEAST - 1)
    assert turn() == brakes.LEAST - 1
    old = Suppression.objects.first()
    Suppression.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=1))
    occurrence(project, "you@last.test", category="unknown_domain")
    assert turn() == 0
    assert list(Suppression.objects.all()) == [old]


def test_under_the_brake_other_classes_and_what_people_say_count():
    project = make.project()
    wave(project, brakes.LEAST)
    turn()
    occurrence(project, "dead@mx.test", category="unknown_user")
    occurrence(project, "cross@mx.test", kind="complaint", category="complaint", is_hard=False)
    occurrence(project, "more@mx.test", category="unknown_domain")
    turn()
    assert set(Suppression.objects.values_list("address_key", flat=True)) == {
        "dead@mx.test",
        "cross@mx.test",
    }


def test_many_users_of_few_domains_are_no_wave():
    project = make.project()
    for number in range(60):
        occurrence(project, f"you{number}@d{number % 5}.test")
    assert turn() == 60


def test_what_the_week_before_was_used_to_is_no_wave():
    project = make.project()
    wave(project, 15, days=2)
    turn()
    Occurrence.objects.update(at=timezone.now() - timedelta(days=2))
    wave(project, 44)
    assert turn() == 44


def test_a_person_believes_what_is_held():
    wave(make.project(), brakes.LEAST)
    turn()
    call_command("suppression", "believe", "unknown_domain", reason="an old list")
    assert turn() == brakes.LEAST == Suppression.objects.count()
    assert (
        Brake.objects.get().is_believed,
        AuditEntry.objects.filter(action="believe").count(),
    ) == (True, 1)


def test_what_is_learned_as_a_person_believes_it_is_not_held_for_ever(monkeypatch):
    wave(make.project(), brakes.LEAST)
    turn()
    occurrence(make.project(), "last@mx.test", category="unknown_domain")
    look = brakes.look

    def then_a_person_decides(*, now):
        look(now=now)
        for brake in Brake.objects.filter(ended_at__isnull=True):
            brakes.release(brake, is_believed=True, by="otto", reason="an old list", now=now)

    monkeypatch.setattr(brakes, "look", then_a_person_decides)
    turn()
    assert not Occurrence.objects.filter(is_held=True).exists()
    assert Suppression.objects.filter(address_key="last@mx.test").exists()


def test_what_another_worker_believes_as_the_brake_is_put_on_is_taken_back(mail_db):
    """Of two workers one judges the last of an ordinary day, and the other sees the wave."""
    project = make.project()
    wave(project, brakes.LEAST - 1)

    def look():
        brakes.look(now=timezone.now())

    other = threading.Thread(target=in_thread, args=[look])

    def meanwhile(keys):
        in_thread_of_its_own(
            lambda: occurrence(project, "you@last.test", category="unknown_domain")
        )
        other.start()
        while other.is_alive() and not is_held_up():
            pass
        return {}

    recording.take_turn(meanwhile, now=timezone.now())
    other.join()
    assert Brake.objects.filter(ended_at__isnull=True).exists()
    assert not Suppression.objects.exists()
    assert Occurrence.objects.filter(is_held=True).count() == brakes.LEAST - 1


def in_thread_of_its_own(work):
    thread = threading.Thread(target=in_thread, args=[work])
    thread.start()
    thread.join()


def test_a_person_forgets_what_is_held():
    project = make.project()
    wave(project, brakes.LEAST)
    turn()
    call_command("suppression", "forget", "unknown_domain", reason="the resolver was ill")
    assert turn() == 0 and not Suppression.objects.exists()
    occurrence(project, "dead@mx.test", category="unknown_domain")
    assert turn() == 1
    with pytest.raises(CommandError, match="has not been stopped"):
        call_command("suppression", "forget", "unknown_domain", reason="again")
