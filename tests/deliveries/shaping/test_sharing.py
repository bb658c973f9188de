"""No limit of a provider is exceeded, however many drains ask; nobody starves."""

import random
from bisect import bisect_left

import pytest

from deliveries.shaping.sharing import (
    EXPIRED,
    HOLD,
    PERIODS,
    TURN,
    LaneWish,
    ProviderAllowance,
    ProviderShare,
    UnusedMessages,
    deal,
    fair,
    in_use,
)


def limit(**given):
    return ProviderAllowance(**{"id": 1, "name": "docomo", "connections": None, "messages": None}
                             | given)  # fmt: skip


def test_what_is_there_is_shared_out_and_nobody_gets_more_than_asked():
    assert fair({"a": 1, "b": 20}, 10, turn=0) == {"a": 1, "b": 9}
    assert fair({"a": 8, "b": 8}, 10, turn=0) == {"a": 5, "b": 5}
    assert fair({"a": 2, "b": 3}, 10, turn=0) == {"a": 2, "b": 3}
    assert fair({"a": 0, "b": 3}, 2, turn=0) == {"a": 0, "b": 2}


def test_of_less_than_one_each_all_have_one_in_turn():
    lanes = {str(number): 4 for number in range(10)}
    served = set()
    for turn in range(100):
        parts = fair(lanes, 3, turn=turn)
        assert sorted(parts.values()) == [0] * 7 + [1] * 3
        served |= {lane for lane, part in parts.items() if part}
    assert served == lanes.keys()


@pytest.mark.parametrize("seed", range(5))
def test_many_drains_never_have_more_connections_than_the_limit_and_use_all_of_them(seed):
    drawn, allowed, state = random.Random(seed), limit(connections=7), {}
    open_now = {(drain, lane): 0 for drain in "abc" for lane in (1, 2, 3)}
    most = 0
    for step in range(600):
        drain = drawn.choice("abc")
        wishes = [LaneWish(lane, open_now[drain, lane], wanted=drawn.choice((0, 2, 9)))
                  for lane in (1, 2, 3)]  # fmt: skip
        found = deal(allowed, state, wishes, holder=drain, now=step * 0.1)
        state = found.state
        for wish in wishes:
            part = found.grants[wish.lane].connections
            assert part is not None
            # a connection that is busy stays open for a while, whatever the part is
            closed = drawn.randint(0, max(0, wish.in_use - part))
            open_now[drain, wish.lane] = max(part, wish.in_use - closed)
            assert part <= 9
        assert sum(open_now.values()) <= 7
        most = max(most, sum(open_now.values()))
    assert most == 7


def test_the_connections_of_a_drain_that_is_gone_are_free_after_a_while():
    allowed = limit(connections=4)
    state = deal(allowed, {}, [LaneWish(1, 4, wanted=4)], holder="dead", now=100.0).state
    assert (
        deal(allowed, state, [LaneWish(2, wanted=4)], holder="b", now=101.0).grants[2].connections
        == 0
    )
    assert in_use(state, now=101.0) == 4
    found = deal(allowed, state, [LaneWish(2, wanted=4)], holder="b", now=100.1 + EXPIRED)
    assert found.grants[2].connections == 4


def test_a_lane_that_leaves_is_forgotten_at_once():
    allowed = limit(connections=4)
    state = deal(allowed, {}, [LaneWish(1, wanted=4)], holder="a", now=100.0).state
    state = deal(allowed, state, [], holder="a", now=100.2).state
    assert (
        deal(allowed, state, [LaneWish(2, wanted=4)], holder="b", now=100.3).grants[2].connections
        == 4
    )


@pytest.mark.parametrize("messages", [1, 3, 10, 100, 999])
def test_no_period_holds_more_messages_than_the_limit_whoever_sends_them_and_when(messages):
    drawn, allowed, state = random.Random(messages), limit(messages=messages), {}
    sent, now = [], 1000.0
    unused = {drain: [] for drain in "abc"}
    while now < 1000.0 + 4 * PERIODS["minute"]:
        drain = drawn.choice("abc")
        now += drawn.choice((0.01, 0.2, 1.0))
        if drawn.random() < 0.2:  # it could not ask: what is unused waits for the next time
            continue
        wish = LaneWish(1, wanted=1, messages=drawn.choice((1, 5, 400)))
        given_back = sum(each.worth(allowed, now) for each in unused.pop(drain))
        found = deal(allowed, state, [wish], holder=drain, now=now, given_back=given_back)
        state, granted = found.state, found.grants[1].messages
        used = drawn.randint(0, granted)
        sent += [now + drawn.random() * HOLD for _ in range(used)]  # as late as may be
        unused[drain] = [UnusedMessages(granted - used, now)]
    sent.sort()
    counts = [bisect_left(sent, at + PERIODS["minute"] - 1e-9) - place
              for place, at in enumerate(sent)]  # fmt: skip
    assert max(counts) <= messages
    assert len(sent) >= messages  # in four periods; what is given back and lost in between is less


def test_unused_messages_are_worth_less_the_longer_they_are_kept():
    allowed = limit(messages=100)
    unused = UnusedMessages(3, since=50.0)
    assert unused.worth(allowed, 50.0) == pytest.approx(3 * allowed.spacing)
    assert unused.worth(allowed, 51.0) == pytest.approx(3 * allowed.spacing - 1)
    assert unused.worth(allowed, 60.0) == 0
    assert unused.worth(limit(connections=1), 50.0) == 0


def test_urgent_mail_is_given_first_and_half_of_what_may_go_at_once_is_kept_for_it():
    allowed = limit(messages=100)
    wishes = [LaneWish(1, wanted=1, messages=50), LaneWish(2, wanted=1, messages=3, is_urgent=True)]
    grants = deal(allowed, {}, wishes, holder="a", now=100.0).grants
    assert (grants[1].messages, grants[2].messages) == (2, 3)
    alone = deal(allowed, {}, wishes[:1], holder="a", now=100.0).grants
    assert alone[1].messages == 5


def test_a_share_sends_nothing_before_it_has_heard_and_nothing_late():
    share = ProviderShare(limit(connections=2, messages=10))
    assert share.wait(0.0) > 0 and share.connections == 0
    share.granted(deal(share.allowed, {}, [LaneWish(1, wanted=2, messages=1)], holder="a",
                       now=100.0).grants[1], 5.0)  # fmt: skip
    assert (share.wait(5.5), share.connections) == (0.0, 2)
    assert share.wait(5.0 + HOLD) > 0
    share.take()
    assert share.wait(5.5) > 0


def test_lanes_take_turns_where_there_are_fewer_connections_than_lanes():
    allowed, state, had = limit(connections=1), {}, set()
    for turn in range(40):
        for drain in "abc":
            found = deal(allowed, state, [LaneWish(1, wanted=1)], holder=drain, now=turn * TURN)
            state = found.state
            had |= {drain} if found.grants[1].connections else set()
    assert had == set("abc")
