"""Mail leaves through Debian's Postfix, which asks Dovecot who we are."""

import asyncio
import os

import pytest

from deliveries.models import Attempt, Delivery, Lane, Route, Smarthost
from deliveries.smtp import tls
from domains.models import AuditEntry
from tests.deliveries import make
from tests.deliveries.stage import drain_until, scene
from tests.fakes import real_smarthost
from tests.fakes.certificates import Authority
from tests.fakes.real_smarthost import NAME, PASSWORD, USERNAME, RealSmarthost

pytestmark = [pytest.mark.peer, pytest.mark.usefixtures("mail_db"), pytest.mark.timeout(120)]
ZONES = {NAME: {"A": ["127.0.0.1"]}}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def trusting(authority, monkeypatch, settings, tmp_path):
    """The authority of the tests is the system's."""
    monkeypatch.setenv("SSL_CERT_FILE", authority.bundle)
    tls.context_for.cache_clear()
    settings.EKIDEN_DATA = tmp_path
    yield
    tls.context_for.cache_clear()


@pytest.fixture(scope="module")
def postfix(authority):
    if absent := real_smarthost.missing():
        text = f"not here: {', '.join(absent)} (see .ci/apt-packages)"
        pytest.fail(text) if os.environ.get("CI") == "true" else pytest.skip(text)
    with RealSmarthost(authority) as server:
        yield server


def led(hosts, **given):
    given = {"password": PASSWORD, "username": USERNAME} | given
    smarthost = make.smarthost(hosts=hosts, **given)
    Route.objects.create(pattern="*", smarthost=smarthost)
    return smarthost


def deliver(settings, until=None, seconds=30):
    async def main():
        async with scene(settings, ZONES):
            await drain_until(until or (lambda: not Delivery.objects.live().exists()), seconds)

    asyncio.run(main())


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("level", ["verified", "implicit"])
def test_mail_leaves_by_a_password(settings, postfix, mechanism, level):
    port = postfix.port if level == "verified" else postfix.smtps
    led([[NAME, port, level]], mechanism=mechanism)
    make.delivery(f"box-{mechanism}-{level}@mx.test".lower())
    deliver(settings)
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.host) == ("delivered", NAME), postfix.words()
    assert attempt.tls.endswith(" verified")
    assert Lane.objects.get(site="smarthost:office").smarthost_id == Smarthost.objects.get().pk


def test_a_refused_password_closes_the_lane_and_bounces_nothing(settings, postfix):
    led([[NAME, postfix.port, "verified"]], password="wrong")
    make.delivery("box@mx.test")
    deliver(settings, until=lambda: Lane.objects.filter(closed_at__isnull=False).exists())
    delivery, lane = Delivery.objects.get(), Lane.objects.get(site="smarthost:office")
    assert (delivery.state, delivery.attempt_count) == ("deferred", 0)
    assert lane.close_reason.startswith("535 5.7.8")
    alert = AuditEntry.objects.get(action="alert")
    assert (alert.object_name, alert.actor) == ("office", "alert")
    assert alert.reason.startswith("535 5.7.8") and "wrong" not in str(alert.details)
