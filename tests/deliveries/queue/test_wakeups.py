"""The wake-up across two processes, an idle hour and whatever a stranger rings."""

import asyncio

import pytest
import redis
from django.conf import settings

from deliveries.queue import wakeups as bell_module
from deliveries.queue.wakeups import WakeUps, channel_of

pytestmark = pytest.mark.usefixtures("valkey")


async def hear(listener, valkey, *rings, until):
    """Return what is heard of these raw rings, once somebody listens."""
    heard = set()

    async def listen():
        async for ring in listener.heard():
            heard.update(ring.lanes)
            if until in heard:
                return

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(5):
        while not valkey.pubsub_numsub(channel_of(valkey))[0][1]:
            await asyncio.sleep(0.01)
        for ring in rings:
            valkey.publish(channel_of(valkey), ring)
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
        while not valkey.pubsub_numsub(channel_of(valkey))[0][1]:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        return valkey.publish(channel_of(valkey), "9")

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


async def test_installations_on_one_server_hear_only_their_own(valkey):
    """Each has a database of its own; the server itself hands a wake-up to all of them."""
    urls = ("redis://valkey.test", "redis://valkey.test/3", "unix:///run/valkey.sock?db=4")
    names = [channel_of(redis.Redis.from_url(url)) for url in urls]
    assert names == ["ekiden:bell", "ekiden:bell:3", "ekiden:bell:4"]
    other = 1 + valkey.connection_pool.connection_kwargs["db"]
    ours = settings.REDIS_URL
    theirs = WakeUps(ours.replace(f"db={other - 1}", f"db={other}"))

    async def ring_both():
        while not valkey.pubsub_numsub(channel_of(valkey))[0][1]:
            await asyncio.sleep(0.01)
        theirs.notify({8})
        await theirs.close()
        valkey.publish(channel_of(valkey), "7")

    ringing = asyncio.create_task(ring_both())
    assert await hear(WakeUps(), valkey, until=7) == {7}
    await ringing
