"""What the tests with a real smarthost share."""

import asyncio
import os

import pytest

from deliveries.models import Delivery, Route
from tests.deliveries import make
from tests.deliveries.stage import drain_until, scene
from tests.fakes import real_smarthost
from tests.fakes.real_smarthost import NAME, PASSWORD, USERNAME

ZONES = {NAME: {"A": ["127.0.0.1"]}}


def need(*beside):
    """Skip, and say plainly what is missing; in CI a missing peer is a failure."""
    if absent := [each for each in (*real_smarthost.missing(), *beside) if each]:
        text = f"not here: {', '.join(absent)} (see .ci/apt-packages and .ci/peers)"
        pytest.fail(text) if os.environ.get("CI") == "true" else pytest.skip(text)


def led(hosts, **given):
    """Return a smarthost with these hosts, to which all mail is led."""
    given = {"password": PASSWORD, "username": USERNAME} | given
    smarthost = make.smarthost(hosts=hosts, **given)
    Route.objects.create(pattern="*", smarthost=smarthost)
    return smarthost


def deliver(settings, until=None, *, zones=ZONES, seconds=30):
    """Run a drain until nothing is live, or `until`."""

    async def main():
        async with scene(settings, zones):
            await drain_until(until or (lambda: not Delivery.objects.live().exists()), seconds)

    asyncio.run(main())
