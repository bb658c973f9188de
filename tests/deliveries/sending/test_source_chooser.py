"""The agent of a site's own lane never holds up the drain whose event loop it shares."""

import asyncio
from types import SimpleNamespace

from deliveries.message.ids import new_id
from deliveries.queue.leased import LeasedLane
from deliveries.queue.source_lanes import Due
from deliveries.routing.egress import Egress
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
