"""Before an unknown domain bounces, a server of the zone above it is asked: our resolvers may be
the ones that are wrong.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.models import Attempt, Delivery
from domains.foundation.dns import parents
from suppressions.models import Occurrence
from tests.deliveries import make
from tests.deliveries.stage import play
from tests.fakes.dns import FakeDns

pytestmark = pytest.mark.usefixtures("mail_db")

OURS = {"test": {"NS": ["ns.test."]}, "ns.test": {"A": ["127.0.0.1"]}}  # and no mx.test


@pytest.fixture
def above(monkeypatch):
    """Yield the server of the zone `test`, whose zones a test may change."""
    with FakeDns({"test": {}}, is_resolver=False) as server:
        monkeypatch.setattr(parents, "PORT", server.address[1])
        yield server


def look_twice(settings):
    make.delivery()
    play(settings, zones=OURS, until=Attempt.objects.exists, seconds=60)
    Attempt.objects.update(at=timezone.now() - timedelta(hours=1, seconds=1))
    Delivery.objects.update(due_at=timezone.now())
    play(settings, zones=OURS, until=lambda: Attempt.objects.count() == 2, seconds=60)
    return Delivery.objects.get(), Attempt.objects.order_by("id").last()


def test_what_it_knows_waits_and_is_not_learned(settings, above, caplog):
    above.zones["mx.test"] = {"MX": [(10, "in.mx.test")]}
    delivery, attempt = look_twice(settings)
    assert (delivery.state, attempt.enhanced, attempt.code) == ("deferred", "4.4.3", 451)
    assert attempt.category != "unknown_domain" and not Occurrence.objects.exists()
    assert "event=dns-contradicted domain=mx.test" in caplog.text


def test_what_it_denies_bounces_and_it_is_asked_once(settings, above):
    delivery, attempt = look_twice(settings)
    assert (delivery.state, attempt.enhanced) == ("bounced", "5.1.2")
    assert above.queries == {("mx.test", "MX"): 1}


def test_what_nobody_there_can_say_bounces_as_our_resolvers_say(settings, above):
    above.is_silent = True
    above.zones["mx.test"] = {"MX": [(10, "in.mx.test")]}
    assert look_twice(settings)[0].state == "bounced"
