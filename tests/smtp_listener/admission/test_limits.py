"""Counters that all processes share, and what they hold when Valkey is gone (hardening B8, F3)."""

import socket
import time
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
from django.conf import settings

from deliveries.backends.database import DatabaseUnavailable
from relay_portal.servers.embedded import EmbeddedValkey
from smtp_listener.admission.limits import (
    MOST_KEYS,
    MOST_LEFT,
    MOST_PAIRS,
    PER_PAIR,
    WINDOW,
    Counters,
    LoginThrottle,
    Quotas,
    place,
)

pytestmark = pytest.mark.usefixtures("valkey")

NOWHERE = "redis://127.0.0.1:9/0"
HOME = ip_address("192.0.2.7")


@asynccontextmanager
async def processes(url=None):
    """Yield the counters of two processes."""
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
        assert [
            await one.enter("s", "a"),
            await one.enter("s", "b"),
            await two.enter("s", "c"),
        ] == [1, 2, 1]
        await one.leave("s", "a")
        assert await one.enter("s", "b") == 1


async def test_a_dead_valkey_is_not_asked_for_each_message():
    with socket.socket() as silent:  # takes connections and answers nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        async with processes(f"redis://127.0.0.1:{silent.getsockname()[1]}/0") as (one, _):
            one._down_until = time.monotonic() + 60
            for _ in range(100):
                await one.add("k", 60)
            silent.setblocking(False)
            with pytest.raises(BlockingIOError):  # nobody has called
                silent.accept()


async def test_sessions_are_counted_across_processes_and_leave():
    async with processes() as (one, two):
        quotas = Quotas(one), Quotas(two)
        assert [
            await quotas[0].enter(1, "a"),
            await quotas[1].enter(1, "b"),
            await quotas[1].enter(1, "b"),
        ] == [1, 2, 2]
        await quotas[0].leave(1, "a")
        assert await quotas[1].enter(1, "c") == 2
        assert await quotas[0].enter(2, "a") == 1


async def test_a_session_that_left_while_valkey_was_away_counts_no_more(valkey):
    async with processes() as (one, two):
        for session in ("a", "b"):
            await Quotas(one).enter(1, session)
        one._down_until = time.monotonic() + 60
        for session in ("a", "b"):
            await Quotas(one).leave(1, session)
        assert await Quotas(two).enter(1, "c") == 3  # nobody has told
        one._down_until = 0.0
        await Quotas(one).enter(1, "b")  # it has come again
        assert await Quotas(two).enter(1, "c") == 2
        assert not one._left


async def test_a_session_of_a_killed_process_is_forgotten(valkey):
    async with processes() as (one, _):
        valkey.zadd("ekiden:sessions:1", {"dead": time.time() - 400})
        assert await Quotas(one).enter(1, "a") == 1


async def test_a_wiped_day_begins_with_what_postgresql_knows():
    async def known():
        return 41

    async with processes() as (one, two):
        assert [
            await Quotas(one).take_day(1, known),
            await Quotas(two).take_day(1, none_today),
        ] == [42, 43]
        await Quotas(two).give_back_day(1)
        assert await Quotas(one).take_day(1, none_today) == 43
        assert await Quotas(two).taken(1) == [0, 43]


@pytest.fixture
def own_valkey(tmp_path):
    """Return a Valkey that a test may stop and start."""
    tmp_path.chmod(0o755)
    server = EmbeddedValkey(tmp_path)
    server.prepare()
    server.start()
    yield server
    server.stop()


async def test_what_a_day_is_given_back_while_valkey_is_away_is_given_back_there(own_valkey):
    """The message that was refused by a fault of ours is not the customer's."""

    async def known():
        return 6

    async with processes(own_valkey.url) as (one, two):
        assert [await Quotas(one).take_day(1, known) for _ in range(3)] == [7, 8, 9]
        own_valkey.stop()
        for _ in range(3):
            await Quotas(one).give_back_day(1)
        own_valkey.start()
        one._down_until = 0.0
        assert await Quotas(one).taken(1) == [0, 0]  # it begins anew
        assert await Quotas(two).take_day(1, known) == 7
        assert await Quotas(one).take_day(1, none_today) == 8
        assert not one._wrong


async def test_a_day_counts_also_what_was_taken_while_valkey_was_away(own_valkey):
    async def known():
        return 3

    async with processes(own_valkey.url) as (one, _):
        assert await Quotas(one).take_day(1, none_today) == 1
        own_valkey.stop()
        assert [await Quotas(one).take_day(1, none_today) for _ in range(2)] == [2, 3]
        own_valkey.start()
        one._down_until = 0.0
        assert await Quotas(one).take_day(1, known) == 4


async def test_only_so_many_counts_are_remembered_while_valkey_is_away():
    async with processes(NOWHERE) as (one, _):
        one._down_until = time.monotonic() + 60
        for number in range(MOST_LEFT + 1):
            await one.add(str(number), 60, begins_anew=True)
        assert len(one._wrong) == MOST_LEFT
        assert "0" not in one._wrong
        await one.add("k", 60)  # nobody could begin it anew
        assert "k" not in one._wrong


async def out_of_reach():
    raise DatabaseUnavailable("away")


@pytest.mark.parametrize("given_back", [0, 1])
async def test_a_day_that_could_not_be_counted_is_counted_with_the_next_message(given_back):
    async def known():
        return 41

    async with processes() as (one, two):
        with pytest.raises(DatabaseUnavailable):
            await Quotas(one).take_day(1, out_of_reach)
        assert await Quotas(one).taken(1) == [0, 0]
        for _ in range(given_back):  # by a session that had counted meanwhile
            await Quotas(two).give_back_day(1)
        assert await Quotas(two).take_day(1, known) == 42 - given_back
        assert await Quotas(one).take_day(1, none_today) == 43 - given_back


async def test_without_valkey_a_day_that_could_not_be_counted_is_counted_with_the_next_message():
    async with processes(NOWHERE) as (one, _):
        with pytest.raises(DatabaseUnavailable):
            await Quotas(one).take_day(1, out_of_reach)
        assert await Quotas(one).take_day(1, none_today) == 1


def fail(guard, times, *, address=HOME, username="app"):
    return [guard.failed(address, username) for _ in range(times)]


def test_b8_each_wrong_try_waits_longer_up_to_a_bound():
    assert [delay for delay, _ in fail(LoginThrottle(first_delay=0.5), 7)] == [
        0.5,
        1,
        2,
        4,
        8,
        8,
        8,
    ]


def test_b8_after_some_wrong_tries_of_one_name_from_one_place_each_ends_its_session():
    guard = LoginThrottle()
    assert [is_last for _, is_last in fail(guard, PER_PAIR + 2)] == [False] * PER_PAIR + [
        True,
        True,
    ]
    assert (
        fail(guard, 1, username="another")
        == fail(guard, 1, address=ip_address("192.0.2.8"))
        == [(0.5, False)]
    )


def test_a_try_is_forgotten_after_its_window():
    now = [0.0]
    guard = LoginThrottle(clock=lambda: now[0])
    fail(guard, PER_PAIR)
    now[0] = WINDOW + 1.0
    assert fail(guard, 1) == [(0.5, False)]


def test_invented_names_are_forgotten_oldest_first():
    guard = LoginThrottle()
    fail(guard, PER_PAIR)
    for number in range(MOST_PAIRS):
        guard.failed(HOME, f"name-{number}")
    assert len(guard._tries) == MOST_PAIRS
    assert fail(guard, 1) == [(0.5, False)]


def test_a_whole_64_of_ipv6_is_one_place():
    assert (
        place(ip_address("2001:db8::1"))
        == place(ip_address("2001:db8::ffff:1"))
        != place(ip_address("2001:db8:0:1::1"))
    )
    assert place(HOME) == "192.0.2.7"


async def test_strangers_names_do_not_fill_the_memory():
    async with processes(NOWHERE) as (one, _):
        one._down_until = time.monotonic() + 60
        one._local = {str(number): (time.monotonic() + 60, 1) for number in range(MOST_KEYS)}
        await one.add("k", 60)
        assert len(one._local) == MOST_KEYS
        assert await one.get("0", "k") == [0, 1]
