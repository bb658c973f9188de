"""Small questions that wait together are asked together."""

import asyncio

from deliveries.backends.database import DatabaseUnavailable
from deliveries.queue.grouping import Grouping


class Asked:
    """Remembers each group, and whether it was urgent."""

    def __init__(self, fault=None):
        self.groups, self.fault = [], fault

    async def __call__(self, group, is_urgent):
        self.groups.append((tuple(group), is_urgent))
        await asyncio.sleep(0.01)
        if self.fault:
            raise self.fault
        return [name.upper() for name in group]


def played(scene, *, fault=None, **given):
    async def main():
        work = Asked(fault)
        answers = await scene(Grouping(work, **{"most": 3} | given))
        return work.groups, answers

    return asyncio.run(main())


def test_one_alone_is_asked_at_once():
    async def scene(grouping):
        async with asyncio.timeout(5):
            return await grouping.ask("a")

    assert played(scene, every=60.0) == ([(("a",), False)], "A")


def test_those_that_come_while_one_is_answered_go_together():
    async def scene(grouping):
        first = asyncio.create_task(grouping.ask("a"))
        await asyncio.sleep(0.002)
        return await asyncio.gather(first, *map(grouping.ask, "bcd"))

    groups, answers = played(scene)
    assert groups == [(("a",), False), (("b", "c", "d"), False)]
    assert answers == ["A", "B", "C", "D"]


def test_a_group_has_an_end():
    async def scene(grouping):
        return await asyncio.gather(*map(grouping.ask, "abcdefg"))

    groups, answers = played(scene)
    assert [len(group) for group, _ in groups] == [3, 3, 1]
    assert answers == list("ABCDEFG")


def test_few_wait_for_others_and_a_full_group_goes():
    async def scene(grouping):
        await grouping.ask("a")
        waiting = [asyncio.create_task(grouping.ask(name)) for name in "bc"]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in waiting)
        async with asyncio.timeout(5):
            return await asyncio.gather(*waiting, grouping.ask("d"))

    groups, _ = played(scene, every=60.0)
    assert groups == [(("a",), False), (("b", "c", "d"), False)]


def test_who_is_in_a_hurry_waits_for_nobody():
    async def scene(grouping):
        await grouping.ask("a")
        calm = asyncio.create_task(grouping.ask("b"))
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            answer = await grouping.ask("c", is_urgent=True)
        assert not calm.done()
        calm.cancel()
        await asyncio.gather(calm, return_exceptions=True)
        return answer

    groups, answer = played(scene, every=60.0)
    assert groups == [(("a",), False), (("c",), True)]
    assert answer == "C"


def test_who_is_in_a_hurry_does_not_wait_for_the_group_under_way():
    async def scene(grouping):
        calm = asyncio.create_task(grouping.ask("a"))
        await asyncio.sleep(0.002)  # it is under way
        hurried = asyncio.create_task(grouping.ask("b", is_urgent=True))
        await asyncio.sleep(0.002)
        began = list(work.groups)
        await asyncio.gather(calm, hurried)
        return began

    async def main():
        return await scene(Grouping(work, most=3))

    work = Asked()
    assert asyncio.run(main()) == [(("a",), False), (("b",), True)]


def test_nothing_is_kept_of_those_that_were_answered():
    async def scene(grouping):
        for name in "abc":
            await grouping.ask(name, is_urgent=True)
        return len(grouping._calm) + len(grouping._urgent)

    assert played(scene, every=60.0)[1] == 0


def test_each_of_a_group_hears_that_postgresql_is_away():
    async def scene(grouping):
        return await asyncio.gather(*map(grouping.ask, "ab"), return_exceptions=True)

    fault = DatabaseUnavailable("gone")
    assert played(scene, fault=fault) == ([(("a", "b"), False)], [fault, fault])


def test_one_that_is_refused_is_refused_alone():
    async def scene(grouping):
        return await asyncio.gather(*map(grouping.ask, ["a", None]), return_exceptions=True)

    groups, [answer, error] = played(scene)
    assert groups == [(("a", None), False), (("a",), False), ((None,), False)]
    assert answer == "A" and isinstance(error, AttributeError)


def test_who_goes_away_is_not_asked_for():
    async def scene(grouping):
        first = asyncio.create_task(grouping.ask("a"))
        await asyncio.sleep(0.002)
        gone = asyncio.create_task(grouping.ask("b"))
        await asyncio.sleep(0)
        gone.cancel()
        return await asyncio.gather(first, grouping.ask("c"))

    assert [group for group, _ in played(scene)[0]] == [("a",), ("c",)]
