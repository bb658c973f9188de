"""What a lane has learned is handed on with it, though PostgreSQL fails as it is given back."""

import asyncio
from types import SimpleNamespace

import pytest

from deliveries.backends.database import DatabaseUnavailable
from deliveries.queue.leased import LeasedLane
from deliveries.sending.feedback import Feedback
from deliveries.sending.lane_runner import give_back
from deliveries.shaping import providers
from deliveries.shaping.pace import Pace
from deliveries.smtp.replies import local_reply

LANE = LeasedLane(
    1, "in.mx.test", "", [], "", is_routed=False, is_forced=False, epoch=1, failures=0, pace={},
    experience={},
)  # fmt: skip


class Lanes:
    """Fails once, and then takes what it is given."""

    def __init__(self):
        self.taken = []
        self.is_away = True

    async def note(self, lane, learned):
        if self.is_away:
            self.is_away = False
            raise DatabaseUnavailable("away")
        self.taken.append(learned)

    release = note


class Ledger:
    has_left_behind = False

    async def flush(self):
        pass


@pytest.fixture
def runner():
    """Return what runs a lane that has delivered and could not note it."""
    lanes = Lanes()
    feedback = Feedback(LANE, lanes, Pace(providers.DEFAULT, {}, now=0.0, wall=0.0))
    return SimpleNamespace(
        lane=LANE, may_have_strays=False, lanes=lanes, feedback=feedback,
        learned=lambda: feedback.learned() if feedback.is_to_note else None,
    )  # fmt: skip


async def handed_back(runner):
    shared = SimpleNamespace(lanes=runner.lanes, ledger=Ledger())
    assert await give_back(runner, shared, is_overdue=lambda: False)
    [learned] = runner.lanes.taken
    return learned


async def test_it_goes_with_the_second_try_to_give_the_lane_back(runner):
    await runner.feedback.delivered(busy=1, address="192.0.2.1")
    assert (await handed_back(runner)).is_success


async def test_what_could_not_be_noted_goes_with_the_lane(runner):
    await runner.feedback.note_news()  # fails
    assert await handed_back(runner) is not None


async def test_a_success_from_before_a_pause_is_written_before_it():
    """Else the success, which waits for its own connection to PostgreSQL, would end the pause."""
    written, noted = [], asyncio.Event()

    async def note(lane, learned):
        await noted.wait()
        written.append("success")

    async def pause(lane, failures, seconds, reason):
        written.append("pause")

    lanes = SimpleNamespace(note=note, pause=pause)
    feedback = Feedback(LANE, lanes, Pace(providers.DEFAULT, {}, now=0.0, wall=0.0))
    noting = asyncio.create_task(feedback.note_news())
    reply = local_reply(421, "4.7.0", "Too many")
    pausing = asyncio.create_task(feedback.refused(reply, busy=1, is_alone=True))
    for _ in range(5):
        await asyncio.sleep(0)
    noted.set()
    await asyncio.gather(noting, pausing)
    assert written == ["success", "pause"]
