"""Outcomes that a worker leaves behind at its end, and the next start that writes them down."""

import asyncio
import fcntl
import json
import os
from uuid import uuid4

import pytest

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.models import Attempt, Delivery, Lane
from deliveries.models.states import DeliveryState
from deliveries.queue import drain_files, unwritten_outcomes
from deliveries.queue.drain_files import HolderFile
from deliveries.queue.ledger import Ledger
from deliveries.queue.takeover import Succession
from deliveries.sending import drain as drain_module
from deliveries.sending.drain import Drain
from tests.deliveries import make
from tests.deliveries.queue.test_ledger import entry
from tests.deliveries.queue.test_takeover import data, hour, stages  # noqa: F401  (a fixture)
from tests.deliveries.stage import drain_until, in_thread, play, scene
from tests.fakes.mx_actions import Wait

pytestmark = pytest.mark.usefixtures("mail_db")


def waiting():
    return unwritten_outcomes.files(unwritten_outcomes.folder())[0]


def broken():
    return unwritten_outcomes.files(unwritten_outcomes.folder())[1]


def left(*entries):
    return unwritten_outcomes.save(unwritten_outcomes.folder(), entries)


def look():
    async def main():
        succession = Succession(lambda: None)
        await succession.look()
        await succession.close()

    asyncio.run(main())


def test_what_is_left_behind_is_written_down_once_and_removed():
    delivered, deferred = make.delivery(claim=3), make.delivery(to="b@mx.test", claim=3)
    given = [
        entry(delivered),
        entry(deferred, DeliveryState.DEFERRED, wait=60.0, code=None, text="日本\udcff"),
    ]
    path = left(*given)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    look()
    assert dict(Delivery.objects.values_list("id", "state")) == {
        delivered.id: "delivered",
        deferred.id: "deferred",
    }
    assert (waiting(), Attempt.objects.get(delivery=delivered).at) == ([], given[0].at)
    left(*given)  # as if the machine had gone down before the file was removed
    look()
    assert (waiting(), Attempt.objects.count()) == ([], 2)


def test_a_row_that_others_hold_by_now_is_moved_by_an_arrival_only():
    delivered, deferred = make.delivery(claim=3), make.delivery(to="b@mx.test", claim=3)
    left(entry(delivered), entry(deferred, DeliveryState.DEFERRED, wait=60.0))
    Delivery.objects.update(claim=4)
    look()
    assert dict(Delivery.objects.values_list("id", "state")) == {
        delivered.id: "delivered",
        deferred.id: "queued",
    }


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: b"", lambda whole: whole[:-9], lambda whole: b"[]",
        lambda whole: whole.replace(b'"format": 1', b'"format": 2'),
        lambda whole: whole.replace(b'"claim": 3', b'"claim": "3"'),
        lambda whole: whole.replace(b'"text"', b'"texts"'),
        lambda whole: whole.replace(b'"delivered"', b'"eaten"'), lambda whole: b"[" * 100_000,
            lambda whole: b"\xff" + whole,
    ],
)  # fmt: skip
def test_a_broken_file_is_put_aside_and_holds_up_no_other(spoil, caplog):
    path = left(entry(make.delivery(claim=3)))
    path.write_bytes(spoil(path.read_bytes()))
    good = make.delivery(to="b@mx.test", claim=3)
    left(entry(good))
    look()
    assert (waiting(), broken()) == ([], [path.with_suffix(".broken")])
    assert [
        str(path) in record.getMessage() for record in caplog.records if record.levelname == "ERROR"
    ] == [True]
    assert Delivery.objects.get(pk=good.pk).state == "delivered"


def test_a_file_that_another_reads_is_left_to_it():
    path = left(entry(make.delivery(claim=3)))
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        look()
        assert (waiting(), Attempt.objects.count()) == ([path], 0)
    look()
    assert (waiting(), Attempt.objects.count()) == ([], 1)


def test_a_lane_waits_for_the_outcomes_of_its_dead_holder(settings):
    """Else what was deferred would be taken for possibly sent."""
    holder = uuid4()
    lane = make.lane("dead.test", holder=holder, epoch=4, leased_until=hour())
    delivery = make.delivery(lane=lane, claim=4)
    own = HolderFile(drain_files.folder(), holder, marks=4)
    own.mark(delivery.id)
    own.close(owes=True)
    left(entry(delivery, DeliveryState.DEFERRED, outcome="deferred", stage="rcpt", wait=0.5))
    play(settings)
    assert (stages(delivery), waiting()) == (["rcpt", "body"], [])


class Away(Database):
    """PostgreSQL cannot be reached."""

    async def run(self, work):
        raise DatabaseUnavailable("it is away")


def end(ledger, *entries):
    async def main():
        running = asyncio.create_task(ledger.run())
        for each in entries:
            ledger.record(each)
        flush = asyncio.create_task(ledger.flush())
        await asyncio.sleep(0)
        ledger.end_by(asyncio.get_running_loop().time())
        await asyncio.wait_for(flush, 30)
        await asyncio.wait_for(ledger.has_room(), 1)
        running.cancel()

    asyncio.run(main())


def test_a_ledger_that_ends_without_postgresql_leaves_its_outcomes_behind(monkeypatch):
    monkeypatch.setattr("deliveries.queue.ledger.ROOM", 2)
    deliveries = [make.delivery(to=f"u{number}@mx.test", claim=3) for number in range(3)]
    end(Ledger(Away("test"), save=lambda entries: left(*entries)), *map(entry, deliveries))
    [path] = waiting()
    assert [each["recipient"] for each in json.loads(path.read_bytes())["outcomes"]] == [
        "u0@mx.test",
        "u1@mx.test",
        "u2@mx.test",
    ]
    look()
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}


class Silent(Database):
    """PostgreSQL took the statement and says nothing more."""

    async def run(self, work):
        await asyncio.sleep(600)


def test_a_ledger_that_ends_waits_for_no_silent_postgresql():
    ledger = Ledger(Silent("test"), save=lambda entries: left(*entries))
    end(ledger, entry(make.delivery(claim=3)))
    assert (len(waiting()), ledger.has_left_behind) == (1, True)


def test_a_ledger_that_can_save_nothing_ends_as_well(caplog):
    (unwritten_outcomes.folder()).touch()
    end(Ledger(Away("test"), save=lambda entries: left(*entries)), entry(make.delivery(claim=3)))
    assert "could not be left behind" in caplog.text


def test_a_worker_that_is_told_to_end_without_postgresql_ends_and_loses_nothing(
    settings, monkeypatch
):
    monkeypatch.setattr(drain_module, "END", 1.0)
    make.rule(connections=1)
    of = make.message()
    for number in range(3):
        make.delivery(to=f"u{number}@mx.test", of=of)

    async def main():
        async with scene(settings) as (mx, _):
            mx.on("BODY", [Wait(1), "250 2.0.0 taken"], "250 2.0.0 taken")
            drain = Drain()
            running = asyncio.create_task(drain.run(600))
            async with asyncio.timeout(30):
                while not mx.messages or await asyncio.to_thread(
                    in_thread, Delivery.objects.filter(claim=0).exists
                ):
                    await asyncio.sleep(0.02)
            with monkeypatch.context() as patch:
                for database in drain._resources.databases:
                    patch.setattr(database, "run", Away("test").run)
                drain.stop()
                await asyncio.wait_for(running, 60)
            before = (
                len(waiting()),
                await asyncio.to_thread(
                    in_thread, Lane.objects.filter(holder__isnull=False).exists
                ),
            )
            await drain_until(lambda: not Delivery.objects.live().exists(), 30)
            return before, len(mx.messages)

    assert asyncio.run(main()) == ((1, True), 3)
    assert Delivery.objects.filter(state="delivered").count() == 3
    assert not Attempt.objects.filter(outcome="in_doubt").exists()
    assert os.listdir(unwritten_outcomes.folder()) == []


def test_a_worker_that_is_told_to_end_waits_for_no_receiver_that_never_answers(
    settings, monkeypatch
):
    """What that one may have taken is in doubt, as after a kill; what was not offered is not."""
    monkeypatch.setattr(drain_module, "END", 1.0)
    make.rule(connections=1)
    of = make.message()
    for number in range(3):
        make.delivery(to=f"u{number}@mx.test", of=of)

    async def main():
        async with scene(settings) as (mx, _):
            mx.on("BODY", [Wait(600), "250 2.0.0 taken"], "250 2.0.0 taken")
            running = asyncio.create_task((drain := Drain()).run(600))
            async with asyncio.timeout(30):
                while not mx.messages or await asyncio.to_thread(
                    in_thread, Delivery.objects.filter(claim=0).exists
                ):
                    await asyncio.sleep(0.02)
            drain.stop()
            await asyncio.wait_for(running, 60)
            left = len(drain_files.files(drain_files.folder()))
            await drain_until(lambda: not Delivery.objects.live().exists(), 30)
            return left

    assert asyncio.run(main()) == 1
    assert Attempt.objects.filter(outcome="in_doubt", stage="interrupted").count() == 1
    assert Delivery.objects.filter(state="delivered").count() == 3
    assert (drain_files.files(drain_files.folder()), waiting()) == ([], [])
