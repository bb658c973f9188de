"""What is computed from the notes of a flood."""

from collections import Counter

import pytest

from bench.flood import States, flood_of
from bench.notes import Arrivals, Submissions

MS = 1_000_000
FLOOD = 10_000 * MS  # when it begins


def test_urgent_mail_is_measured_alone_and_beside_the_flood_and_the_flood_by_what_had_arrived():
    urgent = Submissions(
        sent={1: 100 * MS, 2: FLOOD + 100 * MS},
        accepted={1: 105 * MS, 2: FLOOD + 130 * MS},
        refusals=[],
        opened=0,
    )
    bulk = Submissions(
        sent={10: FLOOD, 11: FLOOD + 1000 * MS},
        accepted={10: FLOOD + 50 * MS, 11: FLOOD + 2000 * MS},
        refusals=[],
        opened=FLOOD - 50 * MS,
    )
    came = Arrivals(
        {
            1: [110 * MS],
            2: [FLOOD + 180 * MS],
            10: [FLOOD + 500 * MS],
            11: [FLOOD + 2100 * MS, FLOOD + 2200 * MS],
        },
        {},
    )
    found = flood_of(urgent, bulk, came, States(Counter(free=1, slowed=2), 0.4))
    assert (found.alone_arrival[0], found.alone_accept[0]) == (10, 5)
    assert (found.urgent_arrival[0], found.urgent_accept[0]) == (80, 30)
    assert (found.urgent_messages, found.bulk_messages) == (1, 2)
    assert found.arrived_share == pytest.approx(0.5)  # the second was accepted before it arrived
    assert (found.urgent_lost, found.bulk_lost, found.duplicates) == (0, 0, 1)
    assert (found.states, found.seconds_behind) == ({"free": 1, "slowed": 2}, 0.4)


def test_what_was_accepted_and_never_came_is_lost():
    bulk = Submissions(sent={10: 0}, accepted={10: 5}, refusals=[], opened=0)
    found = flood_of(
        Submissions(sent={1: 1}, accepted={1: 2}), bulk, Arrivals({}, {}), States(Counter())
    )
    assert (found.urgent_lost, found.bulk_lost, found.arrived_share) == (1, 1, 0.0)
