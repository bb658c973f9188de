"""How many messages a process has in hand at one time."""

import asyncio

from deliveries.capacity import concurrency
from deliveries.capacity.concurrency import GROW, HOLD, LEAST, TURN, Concurrency


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


def test_other_mail_begins_after_urgent_mail_that_begins_now(monkeypatch):
    monkeypatch.setattr(concurrency, "HOLD", 0.01)

    async def main():
        carrying = Concurrency()
        carrying.busy = LEAST // 2
        carrying.hasten()
        place = carrying.place()
        assert not place.take()
        await place.wait()  # nobody leaves: the hold ends by itself
        assert carrying.busy == LEAST // 2 + 1

    asyncio.run(main())


def test_where_little_is_under_way_urgent_mail_holds_up_nobody():
    async def main():
        carrying = Concurrency()
        carrying.busy = LEAST // 2 - 1
        carrying.hasten()
        assert carrying.has_room

    asyncio.run(main())


class PlayedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock goes on by hand."""

    now = 100.0

    def time(self):
        return self.now


def test_urgent_mail_without_end_leaves_other_mail_half_of_the_time():
    async def main():
        carrying, free = Concurrency(), 0
        carrying.busy = LEAST // 2
        for _ in range(1000):
            carrying.hasten()
            free += carrying.has_room
            asyncio.get_running_loop().now += HOLD / 10
            await asyncio.sleep(0)
        return free

    with asyncio.Runner(loop_factory=PlayedLoop) as runner:
        assert 400 < runner.run(main()) < 600
