"""How a drain begins and ends: what it gives back, and for whom it does not wait."""

import asyncio

import pytest

from deliveries.backends.database import DatabaseUnavailable
from deliveries.models import Attempt, Delivery, Lane
from deliveries.queue.lanes import Lanes
from deliveries.sending import drain as drain_module
from tests.deliveries import make
from tests.deliveries.sending.test_drain import states
from tests.deliveries.stage import drain_until, in_thread, play, scene
from tests.fakes.mx_actions import Wait

pytestmark = pytest.mark.usefixtures("mail_db")


def test_a_drain_gives_its_lanes_back(settings):
    make.delivery()
    play(settings)
    assert not Lane.objects.filter(holder__isnull=False).exists()


def test_an_end_waits_for_postgresql_no_longer_than_a_hand_over_may_take(settings, monkeypatch):
    tries = []

    async def is_away(*_):
        tries.append(1)
        raise DatabaseUnavailable("the connection is refused")

    monkeypatch.setattr(drain_module, "HAND_BACK", 0.0)
    monkeypatch.setattr(Lanes, "release", is_away)
    make.delivery()
    play(settings)
    assert states() == {"you@mx.test": "delivered"}
    held = Lane.objects.filter(holder__isnull=False)
    assert len(tries) == held.count() > 0  # once for each: their next holder sees to the rest


def test_a_new_drain_looks_at_once(settings, monkeypatch):
    """Mail that came while the former one handed its lanes back must not wait for a wake-up or the
    next look.
    """
    monkeypatch.setattr(drain_module, "POLL", 3600.0)
    make.delivery()
    play(settings, seconds=60)
    assert states() == {"you@mx.test": "delivered"}


def test_new_work_is_found_without_a_bell(settings, monkeypatch):
    monkeypatch.setattr(drain_module, "POLL", 0.2)

    async def main():
        async with scene(settings) as (mx, _):
            waiting = asyncio.create_task(
                drain_until(lambda: bool(Delivery.objects.ended().exists()))
            )
            await asyncio.sleep(0.5)
            await asyncio.to_thread(in_thread, make.delivery)
            await waiting
            return mx

    assert len(asyncio.run(main()).messages) == 1


def test_a_drain_whose_time_is_over_holds_up_no_mail_for_a_slow_receiver(settings, monkeypatch):
    monkeypatch.setattr(drain_module, "HAND_BACK", 0.1)
    monkeypatch.setattr(drain_module, "POLL", 0.1)
    host = {"A": ["127.0.0.1"]}
    zones = {
        "mx.test": {"MX": [(1, "a.test")]},
        "b.test": {"MX": [(1, "c.test")]},
        "a.test": host,
        "c.test": host,
    }

    async def main():
        async with scene(settings, zones) as (mx, _):
            mx.on("RCPT", lambda argument: [Wait(2), "250 ok"] if "slow" in argument else None)
            await asyncio.to_thread(in_thread, lambda: make.delivery(to="slow@mx.test"))
            running = asyncio.create_task(drain_module.Drain().run(0.5))
            await asyncio.sleep(0.8)
            await asyncio.to_thread(in_thread, lambda: make.delivery(to="quick@b.test"))
            await running

    asyncio.run(main())
    assert list(Attempt.objects.values_list("delivery__recipient", flat=True)) == [
        "quick@b.test",
        "slow@mx.test",
    ]


def test_a_part_of_the_drain_that_fails_ends_it_and_is_told(settings, caplog):
    """Without it mail would wait, and the next drain begins with all parts."""

    class Failing(drain_module.Drain):
        async def _tell_of_dns(self):
            raise RuntimeError("no way")

    async def main():
        async with scene(settings):
            await asyncio.wait_for(Failing().run(60), 10)

    asyncio.run(main())
    assert "event=drain-failed part=" in caplog.text
    assert "no way" in caplog.text
