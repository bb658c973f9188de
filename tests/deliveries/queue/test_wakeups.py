"""The wake-up across two processes, an idle hour and whatever a stranger rings."""

import asyncio

import pytest

from deliveries.queue import wakeups as bell_module
from deliveries.queue.wakeups import CHANNEL, WakeUps

pytestmark = pytest.mark.usefixtures("valkey")


async def hear(listener, valkey, *rings, until):
    """What is heard of these raw rings, once somebody listens."""
    heard = set()

    async def listen():
        async for ring in listener.heard():
            heard.update(ring.lanes)
            if until in heard:
                return

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(5):
        while (
            not listening.done()
        ):  # others may listen too, so that nothing tells when this one does
            for ring in rings:
                valkey.publish(CHANNEL, ring)
            await asyncio.sleep(0.05)
    await listening
    await listener.close()
    return heard


async def test_a_ring_is_heard_by_who_listens(valkey):
    assert await hear(WakeUps(), valkey, "3 5", until=5) >= {3, 5}


async def test_what_a_stranger_rings_is_passed_over(valkey):
    rings = ("drop table", "-1", "9" * 30, "\u0663", b"\xff\xfe", "1.5", "", "7")
    assert await hear(WakeUps(), valkey, *rings, until=7) >= {7}


async def test_a_ring_after_a_long_silence_is_heard(valkey, monkeypatch):
    monkeypatch.setattr(bell_module, "PATIENCE", 0.2)

    async def late():
        while not valkey.pubsub_numsub(CHANNEL)[0][1]:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        return valkey.publish(CHANNEL, "9")

    # among others': Valkey's channels are not divided by database, and other tests ring too
    async def hears_it():
        async for ring in listener.heard():
            if 9 in ring.lanes:
                return True
        return False

    listener = WakeUps()
    listening = asyncio.ensure_future(hears_it())
    assert await late() >= 1  # somebody was there to hear it
    assert await asyncio.wait_for(listening, 2)
    await listener.close()
