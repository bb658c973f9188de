"""A worker's connections: a share for urgent mail, and silent hosts that cost sockets only."""

import asyncio

from deliveries.capacity.sockets import Sockets


async def taken(sockets, *, is_urgent=False):
    slot = sockets.slot(is_urgent=is_urgent)
    await asyncio.wait_for(slot.__aenter__(), 0.05)
    return slot


async def is_full(sockets, *, is_urgent=False):
    try:
        await taken(sockets, is_urgent=is_urgent)
    except TimeoutError:
        return True
    return False


async def test_every_tenth_place_is_urgent_mails():
    sockets = Sockets(10)
    for _ in range(9):
        await taken(sockets)
    assert await is_full(sockets)
    assert not await is_full(sockets, is_urgent=True)


async def test_who_waits_gets_the_place_that_is_given_back_and_urgent_mail_first():
    sockets, order = Sockets(10), []
    held = [await taken(sockets, is_urgent=True) for _ in range(10)]

    async def wait(name, *, is_urgent):
        async with sockets.slot(is_urgent=is_urgent):
            order.append(name)

    waiting = [
        asyncio.create_task(wait("bulk", is_urgent=False)),
        asyncio.create_task(wait("code", is_urgent=True)),
    ]
    await asyncio.sleep(0)
    for slot in held:
        await slot.__aexit__(None, None, None)
    await asyncio.gather(*waiting)
    assert order == ["code", "bulk"]
    assert sockets.used == 0


async def test_a_silent_host_gives_its_place_to_others_until_there_are_too_many():
    sockets = Sockets(10)
    for _ in range(20):
        (await taken(sockets)).step_aside()
    assert (sockets.used, sockets.silent) == (0, 20)
    assert sockets.is_crowded
    (await taken(sockets)).step_aside()
    assert (sockets.used, sockets.silent) == (1, 20)


async def test_a_host_that_speaks_at_last_takes_a_place_again():
    sockets = Sockets(10)
    slot = await taken(sockets)
    slot.step_aside()
    await slot.step_in()
    assert (sockets.used, sockets.silent) == (1, 0)
    await slot.__aexit__(None, None, None)
    assert sockets.used == 0


async def test_who_is_cancelled_while_waiting_takes_nothing_with_it():
    sockets = Sockets(10)
    held = [await taken(sockets, is_urgent=True) for _ in range(10)]
    waiting = asyncio.create_task(sockets.take(is_urgent=False))
    await asyncio.sleep(0)
    waiting.cancel()
    for slot in held:
        await slot.__aexit__(None, None, None)
    assert sockets.used == 0
