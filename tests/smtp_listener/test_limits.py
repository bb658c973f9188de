"""Counters that all processes share, and what they hold when Valkey is gone (hardening B8, F3)."""

import asyncio
import socket
import time
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
from django.conf import settings

from smtp_listener.limits import PER_ADDRESS, PER_NETWORK, PER_USER, Counters, Guard, Quotas, place

pytestmark = pytest.mark.usefixtures("valkey")

NOWHERE = "redis://127.0.0.1:9/0"
HOME = ip_address("192.0.2.7")


@asynccontextmanager
async def processes(url=None):
    """The counters of two processes."""
    both = [Counters(url or settings.REDIS_URL) for _ in range(2)]
    try:
        yield both
    finally:
        for counters in both:
            await counters.close()


async def none_today():
    return 0


async def test_two_processes_count_together():
    async with processes() as (one, two):
        assert [await one.add("k", 60), await two.add("k", 60), await one.add("k", 60)] == [1, 2, 3]
        assert await two.get("k", "other") == [3, 0]


async def test_a_count_is_forgotten_after_its_window(valkey):
    async with processes() as (one, _):
        await one.add("k", 60)
        await one.add("k", 600)
        assert 0 < valkey.ttl("k") <= 60


async def test_without_valkey_each_process_counts_alone():
    async with processes(NOWHERE) as (one, two):
        assert [await one.add("k", 60), await one.add("k", 60), await two.add("k", 60)] == [1, 2, 1]
        assert await one.get("k") == [2]
        assert [await one.enter("s", "a"), await one.enter("s", "b"), await two.enter("s", "c")] == [1, 2, 1]
        await one.leave("s", "a")
        assert await one.enter("s", "b") == 1


async def test_a_dead_valkey_is_not_asked_for_each_message():
    with socket.socket() as silent:  # takes connections and answers nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        async with processes(f"redis://127.0.0.1:{silent.getsockname()[1]}/0") as (one, _):
            one._down_until = time.monotonic() + 60
            started = time.monotonic()
            for _ in range(100):
                await one.add("k", 60)
            assert time.monotonic() - started < 5


async def test_sessions_are_counted_across_processes_and_leave():
    async with processes() as (one, two):
        quotas = Quotas(one), Quotas(two)
        assert [await quotas[0].enter(1, "a"), await quotas[1].enter(1, "b"), await quotas[1].enter(1, "b")] == [1, 2, 2]
        await quotas[0].leave(1, "a")
        assert await quotas[1].enter(1, "c") == 2
        assert await quotas[0].enter(2, "a") == 1


async def test_a_session_of_a_killed_process_is_forgotten(valkey):
    async with processes() as (one, _):
        valkey.zadd("ekiden:sessions:1", {"dead": time.time() - 400})
        assert await Quotas(one).enter(1, "a") == 1


async def test_a_wiped_day_begins_with_what_postgresql_knows():
    async def known():
        return 41

    async with processes() as (one, two):
        assert [await Quotas(one).take_day(1, known), await Quotas(two).take_day(1, none_today)] == [42, 43]
        await Quotas(two).give_back_day(1)
        assert await Quotas(one).take_day(1, none_today) == 43
        assert await Quotas(two).taken(1) == [0, 43]


async def fail(guard, times, *, address=HOME, username="app"):
    return [await guard.failed(address, username) for _ in range(times)]


async def is_locked(guard, *, address=HOME, username="app", is_at_home=False):
    return await guard.is_locked(address, username, is_at_home=is_at_home)


async def test_b8_one_address_that_sprays_names_is_locked_out_in_every_process():
    async with processes() as (one, two):
        for number in range(PER_ADDRESS):
            assert not await is_locked(Guard(two), username="another")
            await Guard(one).failed(HOME, f"name-{number}")
        assert await is_locked(Guard(two), username="another")
        assert not await is_locked(Guard(two), address=ip_address("192.0.2.8"), username="another")


async def test_b8_a_network_that_sprays_is_locked_out_and_its_neighbour_is_not():
    async with processes() as (one, two):
        for number in range(PER_NETWORK):
            await Guard(one).failed(ip_address(f"127.0.1.{number}"), f"name-{number}")
        assert await is_locked(Guard(two), address=ip_address("127.0.1.200"))
        assert not await is_locked(Guard(two), address=ip_address("127.0.2.1"))


async def test_b8_one_name_tried_from_everywhere_is_locked_but_at_home():
    async with processes() as (one, two):
        for number in range(PER_USER):
            await Guard(one).failed(ip_address(f"127.{number}.0.1"), "app")
        assert await is_locked(Guard(two))
        assert not await is_locked(Guard(two), is_at_home=True)
        assert not await is_locked(Guard(two), username="another")


async def test_b8_at_home_too_an_addresss_own_wrong_tries_lock_it_out():
    async with processes() as (one, two):
        await fail(Guard(one), PER_ADDRESS - 1)
        assert not await is_locked(Guard(two), is_at_home=True)
        await fail(Guard(one), 1)
        assert await is_locked(Guard(two), is_at_home=True)


async def test_b8_each_wrong_try_waits_longer_up_to_a_bound():
    async with processes() as (one, _):
        delays = await fail(Guard(one, first_delay=0.5), 7)
    assert delays == [0.5, 1, 2, 4, 8, 8, 8]


async def test_b8_all_together_have_a_budget(valkey):
    valkey.set("ekiden:auth:all", 2000, ex=60)
    async with processes() as (one, _):
        assert await is_locked(Guard(one))
        assert not await is_locked(Guard(one), is_at_home=True)


async def test_no_text_of_a_stranger_stands_in_a_key(valkey):
    async with processes() as (one, _):
        await Guard(one).failed(HOME, "x\r\nFLUSHALL")
    assert all(b"FLUSHALL" not in key and key.startswith(b"ekiden:auth:") for key in valkey.scan_iter())


def test_a_whole_64_of_ipv6_is_one_place():
    assert place(ip_address("2001:db8::1")) == place(ip_address("2001:db8::ffff:1")) != place(ip_address("2001:db8:0:1::1"))
    assert place(HOME) == "192.0.2.7"


async def test_strangers_names_do_not_fill_the_memory():
    async with processes(NOWHERE) as (one, _):
        one._down_until = time.monotonic() + 60
        one._local = {str(number): (0.0, 1) for number in range(100_001)}
        await one.add("k", 60)
        assert len(one._local) == 1
        await asyncio.sleep(0)
