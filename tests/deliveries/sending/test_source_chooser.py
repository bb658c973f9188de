"""The agent of a site's own lane never holds up the drain whose event loop it shares."""

import asyncio
from types import SimpleNamespace

import pytest

from deliveries.backends.database import DatabaseUnavailable
from deliveries.message.ids import new_id
from deliveries.queue.leased import LeasedLane
from deliveries.queue.source_lanes import Due
from deliveries.routing.egress import Egress, SourceFacts
from deliveries.sending.source_chooser import AT_ONCE, SourceChooser

LANE = LeasedLane(
    1, "in.mx.test", "", [], "", is_routed=False, is_forced=False, epoch=1, failures=0, pace={},
    experience={},
)  # fmt: skip


class FullLane:
    """A home lane with more due mail than one look takes, which no source may carry."""

    async def due(self, lane, most):
        return [Due(new_id(), 1, 1, 1, "mx.test", "a@us.test") for _ in range(most)]

    async def wait(self, lane, ids, seconds):
        assert len(ids) == AT_ONCE


class LeaseThatEnds:
    """Holds while the first look is taken, as where the machine was suspended during it."""

    def __init__(self):
        self.asked = 0

    def holds(self, lane):
        self.asked += 1
        assert self.asked < 1000, "it asks without end"
        return self.asked == 1


class WarmingSite:
    """A home lane of which nothing can be led as long as `is_away`."""

    def __init__(self):
        self.waiting = [Due(new_id(), 1, 1, 1, "mx.test", "a@us.test") for _ in range(3)]
        self.is_away = True
        self.reserved = 0

    async def due(self, lane, most):
        return self.waiting

    async def reserve(self, source, receiver, wanted):
        self.reserved += wanted
        return wanted

    async def lanes(self, lane, sources):
        return dict.fromkeys(sources, 2)

    async def lead(self, lane, lanes):
        if self.is_away:
            raise DatabaseUnavailable("away")
        self.waiting = [each for each in self.waiting if each.id not in lanes]


async def test_the_number_of_the_day_is_taken_once_though_postgresql_fails_before_the_mail_is_led():
    source = SourceFacts("new", "192.0.2.1", None, "relay.test", "warming", warm_for=frozenset())
    egress = Egress({"new": source})
    orders = SimpleNamespace(
        egress=SimpleNamespace(now=egress), overflow=lambda *_: None,
        receiver=lambda *_: "default",
    )  # fmt: skip
    site = WarmingSite()
    chooser = SourceChooser(LANE, SimpleNamespace(orders=orders), site, lambda *_: None)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            await chooser._lead(site.waiting)
    site.is_away = False
    await chooser._lead(site.waiting)
    assert not site.waiting
    assert site.reserved == 3


async def test_a_lease_that_ends_in_the_middle_of_much_mail_stops_no_event_loop():
    orders = SimpleNamespace(
        egress=SimpleNamespace(now=Egress()),
        overflow=lambda *_: None,
        receiver=lambda *_: "default",
    )
    lanes = LeaseThatEnds()
    shared = SimpleNamespace(lanes=lanes, orders=orders)
    chooser = SourceChooser(LANE, shared, FullLane(), lambda *_: None)
    running = asyncio.create_task(chooser.run())
    while lanes.asked < 2:
        await asyncio.sleep(0)
    chooser.stop()
    await running
    assert lanes.asked == 2
