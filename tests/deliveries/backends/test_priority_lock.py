"""Who goes through first where work waits for one connection."""

import asyncio

from deliveries.backends.priority_lock import PriorityLock, Ticket


async def steps(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


def went(scene):
    """Return the names in the order in which they went through."""

    async def main():
        turnstile, order, tasks = PriorityLock(), [], {}

        async def go(name, ticket):
            await turnstile.take(ticket)
            order.append(name)

        def come(name, ticket=None):
            tasks[name] = asyncio.create_task(go(name, ticket))

        await turnstile.take()
        await scene(turnstile, come, tasks)
        for _ in range(len(tasks) + 1):
            turnstile.give_back()
            await steps()
        return order

    return asyncio.run(main())


def test_first_come_is_first_served():
    async def scene(turnstile, come, tasks):
        for name in "abc":
            come(name)
        await steps()

    assert went(scene) == ["a", "b", "c"]


def test_who_is_hurried_while_it_waits_goes_before_all_that_are_not():
    ticket = Ticket()

    async def scene(turnstile, come, tasks):
        come("a")
        come("b")
        come("urgent", ticket)
        await steps()
        ticket.hurry()

    assert went(scene) == ["urgent", "a", "b"]
    assert not ticket.is_hurried  # once


def test_who_was_hurried_before_it_came_goes_first_as_well():
    ticket = Ticket()
    ticket.hurry()

    async def scene(turnstile, come, tasks):
        come("a")
        await steps()
        come("urgent", ticket)
        await steps()

    assert went(scene) == ["urgent", "a"]


def test_a_turn_that_comes_to_somebody_who_has_just_left_is_the_next_ones():
    async def scene(turnstile, come, tasks):
        come("gone")
        come("b")
        await steps()
        turnstile.give_back()
        tasks["gone"].cancel()
        await steps()

    assert went(scene) == ["b"]
