"""Faults of our own while mail is sent: one delivery, domain or lane waits alone, and all others
go on.
"""

import pytest
from django.utils import timezone

from deliveries.models import Attempt, Delivery, Lane
from deliveries.queue import expiry
from deliveries.routing.resolver import Router
from deliveries.sending import mail_builder
from domains.models import ItemKind, SetAside
from tests.deliveries import make
from tests.deliveries.stage import play

pytestmark = pytest.mark.usefixtures("mail_db")
STRANGE = 7  # a priority that there is not: no line takes such a load


def has_failed():
    return lambda: SetAside.objects.exists() and Delivery.objects.filter(state="delivered").exists()


def test_a_delivery_that_cannot_be_loaded_holds_up_no_other(settings):
    poison, good = make.delivery(priority=STRANGE), make.delivery("other@mx.test")
    play(settings, until=has_failed(), seconds=60)
    assert Delivery.objects.get(pk=good.pk).state == "delivered"
    assert Delivery.objects.get(pk=poison.pk).state == "deferred"
    attempt = Attempt.objects.get(delivery=poison)
    assert (attempt.stage, attempt.text) == (
        "interrupted",
        "A fault of the service; it is tried again",
    )
    assert "KeyError: 7" in SetAside.objects.get().traceback


def test_the_third_time_it_is_held_and_its_deadline_still_holds(settings):
    poison = make.delivery(priority=STRANGE)

    def is_held():
        Delivery.objects.filter(pk=poison.pk, due_at__gt=timezone.now()).update(
            due_at=timezone.now()
        )
        return Delivery.objects.get(pk=poison.pk).hold == Delivery.Hold.HELD

    play(settings, until=is_held, seconds=60)
    held = Delivery.objects.get(pk=poison.pk)
    assert (held.state, held.hold, held.lane_id, held.claim) == (
        "deferred",
        Delivery.Hold.HELD,
        Lane.PARKED,
        0,
    )
    aside = SetAside.objects.get()
    assert (aside.kind, aside.key, aside.failures) == ("delivery", str(poison.pk), 3)
    Delivery.objects.filter(pk=poison.pk).update(expires_at=timezone.now())
    assert expiry.sweep() == 1
    held.refresh_from_db()
    assert (held.state, held.owes_report) == ("expired", True)


def test_a_fault_at_sending_leaves_the_others_alone(settings, monkeypatch):
    poison, good = make.delivery(), make.delivery("other@mx.test")
    real = mail_builder.return_path.make

    def made(delivery, **given):
        if delivery == poison.pk:
            raise KeyError("a fault of ours")
        return real(delivery, **given)

    monkeypatch.setattr(mail_builder.return_path, "make", made)
    mx = play(settings, until=has_failed(), seconds=60)
    assert [message.recipients for message in mx.messages] == [[good.recipient]]
    assert SetAside.objects.get().key == str(poison.pk)


def test_a_domain_that_cannot_be_routed_holds_up_no_other(settings, monkeypatch):
    make.delivery("you@bad.test")
    make.delivery()
    real = Router.site

    async def site(self, domain):
        if domain == "bad.test":
            raise RuntimeError("a fault of ours")
        return await real(self, domain)

    monkeypatch.setattr(Router, "site", site)
    play(settings, until=has_failed(), seconds=60)
    assert Delivery.objects.get(domain="bad.test").state == "deferred"
    assert SetAside.objects.values_list("kind", "key").get() == (ItemKind.ROUTING, "bad.test")


def test_a_lane_whose_row_cannot_be_understood_holds_up_no_other(settings):
    lane = make.lane("bad.test", pace=["nonsense"])
    make.leads_to(lane, "bad.test")
    make.delivery("you@bad.test", lane=lane)
    make.delivery()
    play(settings, until=has_failed(), seconds=60)
    assert SetAside.objects.values_list("kind", "key").get() == (ItemKind.LANE, str(lane.pk))
    lane.refresh_from_db()
    assert lane.paused_until is not None
    assert lane.holder is None, "whoever can make an agent of it need not wait for the lease"


def test_a_rule_that_cannot_be_understood_leaves_those_of_before(settings, monkeypatch):
    make.rule("odd", mx_suffixes=["mx.test"])
    monkeypatch.setattr("deliveries.sending.controls.Controls._take", lambda *_: 1 / 0)
    make.delivery()
    play(settings)
    assert Delivery.objects.get().state == "delivered"
