"""How many messages a process has in hand at one time."""

import asyncio

from deliveries.capacity.concurrency import GROW, LEAST, TURN, Concurrency


def test_a_loop_that_turns_slowly_carries_less_and_never_less_than_a_few():
    carrying = Concurrency()
    carrying.most = 100.0
    carrying.busy = 50
    carrying.heed(2 * TURN)
    assert carrying.most < 50
    for _ in range(50):
        carrying.heed(2 * TURN)
    assert carrying.most == LEAST


def test_a_quick_loop_carries_more_as_long_as_all_places_are_taken():
    carrying = Concurrency()
    carrying.heed(TURN / 2)
    assert carrying.most == LEAST
    carrying.busy = LEAST
    carrying.heed(TURN / 2)
    assert carrying.most == LEAST * GROW


def test_who_waits_for_room_is_called_when_somebody_leaves():
    async def main():
        carrying = Concurrency()
        places = [carrying.place() for _ in range(LEAST)]
        assert all(place.take() for place in places)
        late = carrying.place()
        assert not late.take()
        waiting = asyncio.create_task(late.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        places[0].leave()
        places[0].leave()  # a second time frees nothing more
        await waiting
        assert carrying.busy == LEAST

    asyncio.run(main())
