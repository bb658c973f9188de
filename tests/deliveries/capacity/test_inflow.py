"""What workers and listeners say of how delivery keeps up."""

import asyncio
import json
from contextlib import suppress
from dataclasses import asdict

import pytest

from deliveries.capacity import inflow
from deliveries.capacity.inflow import (
    LATE,
    LEAST_RUN,
    NOTHING,
    PRESSED,
    URGENT_LATE,
    URGENT_TARGET,
    Board,
    DeliveryProgress,
    InflowReport,
)
from deliveries.capacity.strain import Strain

BEHIND = InflowReport(seconds_behind=1.5, per_second=300.0)


class Machine(Strain):
    def __init__(self, strain, ran):
        self.shares = strain, ran

    def look(self):
        return self.shares


def progress(*, strain=1.0, ran=1.0, has_room=True):
    return DeliveryProgress(None, has_room=lambda: has_room, strain=Machine(strain, ran))


def is_behind(told):
    return bool(told.seconds_behind or told.urgent_seconds_behind)


def word(told, ages, seconds=1.0):
    for age in ages:
        told.taken(age)
    return told.word(seconds)


def test_mail_that_waits_for_our_own_core_is_behind():
    assert word(progress(), [0.5] * 100).seconds_behind == 0.5


def test_mail_that_a_receiver_holds_up_is_not():
    assert not is_behind(word(progress(strain=PRESSED / 2), [600.0] * 100))


def test_one_slow_receiver_does_not_speak_for_all():
    assert not is_behind(word(progress(), [600.0] * 10 + [LATE / 2] * 100))


def test_where_postgresql_does_not_keep_up_mail_is_behind_on_an_idle_core():
    assert word(progress(strain=0.0, has_room=False), [2.0]).seconds_behind == 2.0


def test_a_worker_that_gets_no_core_at_all_is_as_far_behind_as_before():
    told = progress()
    word(told, [2.0] * 10)
    assert word(told, []).seconds_behind == 2.0


def test_urgent_mail_that_waits_for_our_own_core_is_behind_sooner_than_other_mail():
    told = progress()
    told.taken(2 * URGENT_LATE, is_urgent=True)
    assert LATE > 2 * URGENT_LATE
    assert word(told, [URGENT_LATE] * 100).urgent_seconds_behind == 2 * URGENT_LATE
    assert not is_behind(word(progress(), [2 * URGENT_LATE] * 100))


def test_a_worker_that_keeps_up_tells_what_it_sends_and_an_idle_one_nothing():
    told = progress(strain=0.0)
    for _ in range(20):
        found = word(told, [0.0] * 100)
    assert found == InflowReport(per_second=pytest.approx(100.0, rel=0.01))
    for _ in range(20):
        found = word(told, [])
    assert found == NOTHING


def test_what_all_workers_send_is_let_in_though_one_alone_is_behind():
    free = InflowReport(per_second=500.0)
    both = inflow.together([BEHIND, free])
    assert (both.seconds_behind, both.per_second, both.state) == (1.5, 800.0, "free")


def test_where_other_programs_have_the_cores_late_urgent_mail_slows_nobody_down_any_further():
    told = progress(ran=LEAST_RUN / 2)
    told.taken(5.0, is_urgent=True)
    assert URGENT_LATE < word(told, [0.0] * 100).urgent_seconds_behind < URGENT_TARGET


def test_how_late_urgent_mail_was_is_forgotten(monkeypatch):
    told = progress()
    told.taken(60.0, is_urgent=True)
    monkeypatch.setattr("deliveries.capacity.inflow.URGENT_MEMORY", -1.0)
    assert not is_behind(word(told, [0.0] * 100))


def test_a_worker_of_an_earlier_version_says_nothing_of_urgent_mail(board_of, valkey):
    old = {key: value for key, value in asdict(BEHIND).items() if "urgent" not in key}
    valkey.sadd(inflow.SPEAKERS, "worker")
    valkey.set(inflow._key("worker"), json.dumps(old))
    assert board_of(lambda board: board.read(), "listener") == BEHIND


def test_running_counts_as_strain():
    strain = Strain()
    while strain._seconds()[0] - strain._ran < 0.05:
        sum(range(1000))
    strained, ran = strain.look()
    assert strained > PRESSED and strained >= ran > 0


def test_a_cancellation_that_ends_as_an_error_of_valkeys_ends_it_all_the_same():
    class Deaf:
        async def say(self, word):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

    async def main():
        progress = DeliveryProgress(Deaf(), has_room=lambda: True)
        running = asyncio.create_task(progress.run())
        await asyncio.sleep(2 * inflow.EVERY)
        running.cancel()
        await asyncio.wait_for(asyncio.gather(running, return_exceptions=True), 30)

    asyncio.run(main())


@pytest.fixture
def board_of(valkey):
    """Work with the boards of these names."""

    def use(work, *names):
        async def main():
            boards = [Board(name) for name in names]
            try:
                return await work(*boards)
            finally:
                for board in boards:
                    await board.close()

        return asyncio.run(main())

    return use


def test_what_one_says_the_others_and_people_read(board_of, valkey):
    async def work(worker, listener):
        await worker.say(BEHIND)
        await listener.say(InflowReport(limit=100.0, waiting=7, weight=3))
        assert inflow.find(valkey).state == "slowed"
        return await listener.read()

    assert board_of(work, "worker", "listener") == InflowReport(1.5, 300.0, 100.0, 7, 3)
    assert inflow.find(valkey) == NOTHING  # they have closed their boards


def test_a_word_passes_by_itself_and_its_speaker_is_forgotten(board_of, valkey):
    async def work(worker, listener):
        await worker.say(BEHIND)
        assert 0 < valkey.pttl(inflow._key("worker")) <= inflow.KEEP
        valkey.delete(inflow._key("worker"))
        assert await listener.read() == NOTHING
        return valkey.smembers(inflow.SPEAKERS)

    assert board_of(work, "worker", "listener") == set()


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "{}", json.dumps({"limit": "much", "seconds_behind": None})]
)
def test_what_is_no_word_is_passed_over(board_of, valkey, text):
    valkey.sadd(inflow.SPEAKERS, "stranger")
    valkey.set(inflow._key("stranger"), text)

    async def work(listener):
        return await listener.read()

    assert board_of(work, "listener") == NOTHING


def test_without_valkey_nobody_has_said_anything(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    async def main():
        board = Board("listener")
        await board.say(BEHIND)
        found = await board.read()
        await board.close()
        return found

    assert asyncio.run(main()) == NOTHING
    assert inflow.find() == NOTHING
