from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from deliveries.models import Destination, Route
from deliveries.routing import routes
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


@pytest.fixture(autouse=True)
def no_wait(monkeypatch):
    monkeypatch.setattr(routes, "ROUTES_KEEP", -0.1)  # no router runs beside this test


def expired():
    return set(
        Destination.objects.filter(expires_at__lte=timezone.now()).values_list("domain", flat=True)
    )


@pytest.mark.parametrize(
    ("pattern", "led_anew"),
    [
        ("a.test", {"a.test"}),
        ("*.a.test", {"x.a.test"}),
        ("*", {"a.test", "x.a.test", "xa.test"}),
        ("other.test", set()),
    ],
)
def test_mail_under_a_changed_route_is_routed_anew(pattern, led_anew):
    make.leads_to(make.lane(), "a.test", "x.a.test", "xa.test")
    route = routes.add(pattern, "smart.test", 25)
    assert expired() == led_anew
    Destination.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    routes.remove(route)
    assert expired() == led_anew
    assert not Route.objects.exists()


def test_mail_in_a_paused_lane_may_leave_it():
    lane = make.lane(
        paused_until=timezone.now() + timedelta(minutes=9), failures=3, pause_reason="down"
    )
    bystander = make.lane("by.test", paused_until=timezone.now() + timedelta(minutes=9))
    make.leads_to(lane, "mx.test")
    make.leads_to(bystander, "by.test")
    routes.add("mx.test", "smart.test", 25)
    lane.refresh_from_db()
    bystander.refresh_from_db()
    assert (lane.paused_until, lane.failures) == (None, 3)
    assert bystander.paused_until


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Example.Test.", "example.test"),
        ("*.bücher.test", "*.xn--bcher-kva.test"),
        ("*.Test", "*.test"),
        ("*", "*"),
    ],
)
def test_a_pattern_has_one_form(written, kept):
    assert routes.canonical_pattern(written) == kept


@pytest.mark.parametrize("pattern", ["", "**", "a.*.test", "*test", "*.", "a b.test"])
def test_a_pattern_must_be_one(pattern):
    with pytest.raises(ValidationError):
        routes.canonical_pattern(pattern)


def test_a_pattern_has_one_route():
    routes.add("a.test", "smart.test", 25)
    with pytest.raises(ValidationError, match="already exists"):
        routes.add("A.test", "other.test", 25)
