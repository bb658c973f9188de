"""A brake on learning is decided in the portal: by operators, with a reason, written down."""

import pytest
from django.utils import timezone
from django.utils.translation import override

from domains.models import AuditEntry
from suppressions import brakes
from suppressions.models import Brake, Occurrence, Suppression
from tests.deliveries import make
from tests.relay_portal.portal.conftest import person, verified
from tests.suppressions.test_brakes import wave
from tests.suppressions.test_recording import turn

pytestmark = pytest.mark.django_db


@pytest.fixture
def brake(db):
    wave(make.project(), brakes.LEAST, text="<b>NXDOMAIN</b>")
    turn()
    return Brake.objects.get()


def do(brake, verb, browser, **form):
    return browser.post(f"/suppressions/brake/{brake.pk}/do/{verb}/", form, follow=True)


def test_an_operator_sees_what_is_held(brake, operator):
    page = operator.get(f"/suppressions/brake/{brake.pk}/change/").text
    assert "you@d19.test" in page and "&lt;b&gt;NXDOMAIN&lt;/b&gt;" in page
    assert "Look at your resolver" in page
    assert f"/suppressions/brake/{brake.pk}/change/" in operator.get("/").text


def test_what_is_believed_suppresses(brake, operator):
    assert "20 occurrences count now" in do(brake, "believe", operator, reason="an old list").text
    assert turn() == brakes.LEAST == Suppression.objects.count()
    entry = AuditEntry.objects.get(action="believe")
    assert (entry.actor, entry.reason, entry.client_address) == ("otto", "an old list", "127.0.0.1")


def test_what_is_forgotten_never_counts(brake, operator):
    assert (
        "20 occurrences are forgotten"
        in do(brake, "forget", operator, reason="the resolver was ill").text
    )
    assert turn() == 0 and not Suppression.objects.exists()
    assert AuditEntry.objects.filter(action="forget").count() == 1
    assert Brake.objects.get().is_believed is False


def test_nothing_is_decided_without_a_reason(brake, operator):
    do(brake, "believe", operator)
    assert Brake.objects.get().ended_at is None


def test_a_brake_is_decided_once(brake, operator):
    do(brake, "forget", operator, reason="x")
    assert do(brake, "believe", operator, reason="y").status_code == 404
    late = {"is_believed": True, "by": "anna", "reason": "z", "now": timezone.now()}
    assert brakes.release(brake, **late) == 0
    assert (
        Brake.objects.get().is_believed is False
        and not AuditEntry.objects.filter(action="believe").exists()
    )
    assert not Occurrence.objects.filter(is_void=False).exists()


def test_support_staff_neither_sees_nor_decides(brake):
    support = verified(person("sue", operator=False))
    assert support.get("/suppressions/brake/").status_code == 403
    assert do(brake, "believe", support, reason="x").status_code == 403
    assert Brake.objects.get().ended_at is None


def test_it_is_in_japanese_too(brake, operator):
    with override("ja"):
        page = operator.get(
            f"/suppressions/brake/{brake.pk}/change/", headers={"Accept-Language": "ja"}
        ).text
    assert "学習" in page and "Look at your resolver" not in page
