"""Memory for large messages is given in the order in which it was asked for."""

import asyncio

import pytest

from deliveries.capacity.memory_budget import ByteBudget


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def hold(budget, size, log, until):
    async with budget.share(size):
        log.append(size)
        await until.wait()


@pytest.fixture
def queue():
    """Play: 6 of 10 are held, somebody waits for 8, and somebody else asks for 3."""

    async def play(then):
        budget, log, ends = ByteBudget(10), [], {size: asyncio.Event() for size in (6, 8, 3, 10)}
        tasks = {}
        for size in (6, 8, 3):
            tasks[size] = asyncio.create_task(hold(budget, size, log, ends[size]))
            await settle()
        assert log == [6]
        await then(tasks, ends)
        for end in ends.values():
            end.set()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        await hold(budget, 10, log, ends[10])  # all has been given back
        return log

    return lambda then: asyncio.run(play(then))


def test_a_large_message_is_not_passed_by_smaller_ones_that_came_later(queue):
    async def then(tasks, ends):
        ends[6].set()

    assert queue(then) == [6, 8, 3, 10]


def test_who_gives_up_lets_the_next_go(queue):
    async def then(tasks, ends):
        tasks[8].cancel()
        await settle()

    assert queue(then) == [6, 3, 10]


def test_a_share_that_comes_too_late_is_given_back(queue):
    async def then(tasks, ends):
        ends[6].set()
        await asyncio.wait({tasks[6]})
        tasks[8].cancel()

    assert queue(then)[0] == 6


def test_more_than_there_is_takes_all_and_nothing_waits_for_nothing():
    async def main():
        budget = ByteBudget(10)
        async with budget.share(25), budget.share(0):
            return "held"

    assert asyncio.run(main()) == "held"
