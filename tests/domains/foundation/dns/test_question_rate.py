"""One limit on the questions of all processes, kept in Valkey."""

import asyncio

import pytest

from domains.foundation.dns import question_rate
from domains.foundation.dns.question_rate import AHEAD, KEY, QuestionRate

A_SECOND = 500  # questions
GAP = 1_000_000 // A_SECOND  # microseconds


@pytest.fixture(autouse=True)
def limit(settings, valkey):
    settings.EKIDEN_QUESTIONS = A_SECOND
    return valkey


def clock(valkey):
    seconds, microseconds = valkey.time()
    return seconds * 1_000_000 + microseconds


async def ask(rate, times):
    await asyncio.gather(*(rate.turn() for _ in range(times)))


def test_all_that_ask_share_one_limit(limit):
    begun = clock(limit)
    processes = [QuestionRate() for _ in range(3)]

    async def all_at_once():
        await asyncio.gather(*(ask(each, 40) for each in processes))

    asyncio.run(all_at_once())
    assert int(limit.get(KEY)) >= begun + 120 * GAP
    assert limit.pttl(KEY) > 0


def test_nobody_asks_before_the_place_that_was_given(limit):
    rate = QuestionRate()
    for _ in range(2):  # the second run has an event loop of its own
        asyncio.run(ask(rate, 40))
        assert clock(limit) >= int(limit.get(KEY)) - GAP


def test_what_a_person_waits_for_goes_before_what_can_wait(limit):
    many, person = QuestionRate(), QuestionRate(is_urgent=True)
    limit.set(KEY, clock(limit) + round(AHEAD * 1e6) * 20, px=60_000)
    refused, given = many._place(), person._place()
    assert refused and given
    assert (refused[0], given[0]) == (False, True) and given[1] > AHEAD


def test_a_share_is_what_a_process_takes_at_most():
    assert QuestionRate(0.25)._own_gap == 4 / A_SECOND


def test_a_clock_that_was_set_back_holds_nobody_up(limit):
    limit.set(KEY, clock(limit) + 3600 * 1_000_000, px=60_000)
    assert QuestionRate()._place() == (True, 0)


def test_without_valkey_each_process_keeps_the_pace_by_itself(settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    rate = QuestionRate()
    asyncio.run(ask(rate, 5))
    assert rate._place() is None and rate._next > 0
    assert rate._alone_until > question_rate.time.monotonic()
