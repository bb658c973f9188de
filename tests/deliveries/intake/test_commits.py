"""A commit: who shares it, what fails alone, and what is known of it when its answer is lost."""

import asyncio

import pytest

from deliveries.backends import job_queues
from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.intake.group_commits import IntakeUnavailable
from deliveries.message import compression
from deliveries.message.priorities import Priority
from deliveries.models import Content, Lane, Message
from tests.deliveries import make
from tests.deliveries.intake.test_committer import HEADERS, accept, running, submission

pytestmark = pytest.mark.usefixtures("mail_db")


def test_a_message_that_postgresql_refuses_fails_alone(credential):
    poison = submission(credential, recipients=("a\0b@mx.test",))
    good = submission(credential, headers=HEADERS.replace(b"<1@", b"<2@"))
    failed, taken = accept(poison, good)
    assert isinstance(failed, IntakeUnavailable)
    assert Message.objects.get().pk.urn.endswith(taken.queue_id)


def test_without_postgresql_nobody_is_told_that_it_was_taken(credential):
    [failed] = accept(submission(credential), database=Unreachable("test"))
    assert isinstance(failed, IntakeUnavailable)


class Unreachable(Database):
    async def fetch(self, *args, **given):
        raise DatabaseUnavailable("connection refused")


def test_a_client_that_leaves_does_not_stop_the_commit(credential):
    async def main():
        async with running() as intake:
            accepting = asyncio.shield(asyncio.create_task(intake.accept(submission(credential))))
            await asyncio.sleep(0)
            accepting.cancel()
            await intake.accept(submission(credential, recipients=("her@mx.test",)))

    asyncio.run(main())
    assert Message.objects.count() == 2


class Stopped(Database):
    """Commits nothing before it is told to."""

    def __init__(self, name):
        super().__init__(name)
        self.asked, self.goes_on = asyncio.Event(), asyncio.Event()

    async def fetch(self, *args, **given):
        self.asked.set()
        await self.goes_on.wait()
        return await super().fetch(*args, **given)


def test_urgent_mail_does_not_wait_for_a_commit_of_other_mail(credential):
    async def main():
        async with asyncio.timeout(300), running(calm := Stopped("test")) as intake:
            bulk = asyncio.create_task(intake.accept(submission(credential)))
            await calm.asked.wait()
            code = submission(credential, recipients=("her@mx.test",), priority=Priority.URGENT)
            await intake.accept(code)
            assert not bulk.done()
            calm.goes_on.set()
            await bulk

    asyncio.run(main())
    assert Message.objects.count() == 2


def test_one_message_handed_in_as_urgent_and_as_bulk_is_stored_once(credential):
    async def main():
        async with running() as intake:
            return await asyncio.gather(
                *(intake.accept(submission(credential, priority=each)) for each in Priority)
            )

    receipts = asyncio.run(main())
    assert {receipt.queue_id for receipt in receipts} == {str(Message.objects.get().pk)}
    assert sorted(receipt.is_repeat for receipt in receipts) == [False, True, True]


def test_a_large_message_is_stored_as_any_other(credential):
    body = b"0123456789abcdef\r\n" * 60_000
    accept(submission(credential, body=body))
    data = compression.decompress(bytes(Content.objects.get().data), most=2_000_000)
    assert data.endswith(body)


def test_a_commit_calls_for_a_drain_where_none_listens(credential):
    accept(submission(credential), submission(credential, recipients=("her@mx.test",)))
    assert [job.func_name for job in job_queues.queue(job_queues.DELIVERIES).get_jobs()] == [
        "deliveries.jobs.drain"
    ]


def test_commits_are_durable():
    async def main():
        database = Database("test")
        rows = await database.fetch("SHOW synchronous_commit")
        await database.close()
        return rows

    assert asyncio.run(main()) == [("on",)]


def test_messages_that_gather_share_a_transaction(credential):
    many = [
        submission(credential, headers=HEADERS.replace(b"<1@", b"<%d@" % number))
        for number in range(50)
    ]
    accept(*many, database=SlowAtFirst("test"))
    accepted = set(Message.objects.values_list("accepted_at", flat=True))
    assert Message.objects.count() == 50
    assert len(accepted) <= 3


class SlowAtFirst(Database):
    """Takes its time with the first commit, so that all others have come when it is done."""

    was_slow = False

    async def fetch(self, *args, **given):
        if not self.was_slow:
            self.was_slow = True
            await asyncio.sleep(1)
        return await super().fetch(*args)


def test_a_message_id_of_many_kilobytes_harms_neither_itself_nor_its_neighbours():
    import secrets

    credential = make.credential()
    long_id = f"<{secrets.token_hex(20_000)}@shop.test>".encode()
    folded = (
        b"Message-ID: "
        + b"\r\n ".join(long_id[at : at + 900] for at in range(0, len(long_id), 900))
        + b"\r\n"
    )
    receipts = accept(
        submission(credential, headers=b"From: shop@shop.test\r\n" + folded), submission(credential)
    )
    assert len({receipt.queue_id for receipt in receipts}) == Message.objects.count() == 2


@pytest.mark.parametrize("poison", ["\ud800", "x\0"])
def test_a_message_that_cannot_be_written_fails_alone(poison):
    credential = make.credential()
    bad, good = accept(
        submission(credential, header_from=poison, headers=b"From: x@shop.test\r\n"),
        submission(credential),
    )
    assert isinstance(bad, IntakeUnavailable)
    assert Message.objects.get().pk.hex == good.queue_id.replace("-", "")


class LosesItsAnswer(Database):
    """The commit is done, and its answer never comes; then PostgreSQL is away for one question
    more.
    """

    troubles = 2

    async def fetch(self, sql, parameters=None, **given):
        rows = await super().fetch(sql, parameters)
        if self.troubles:
            self.troubles -= 1
            raise DatabaseUnavailable("gone before its answer")
        return rows


def test_a_message_whose_commit_was_not_answered_is_logged_and_rung_for_when_it_is_known(
    credential, caplog, monkeypatch
):
    monkeypatch.setattr("deliveries.intake.unsure_commits.AGAIN", 0.01)
    caplog.set_level("INFO", "ekiden.mail")
    rung = []

    async def main():
        async with running(LosesItsAnswer("test")) as intake:
            monkeypatch.setattr(
                intake._wakeups, "notify", lambda lanes, urgent: rung.append(list(lanes))
            )
            with pytest.raises(IntakeUnavailable):
                await intake.accept(submission(credential))
            async with asyncio.timeout(30):
                while not rung:
                    await asyncio.sleep(0.01)

    asyncio.run(main())
    message = Message.objects.get()
    assert [
        str(message.pk) in record.getMessage()
        for record in caplog.records
        if "event=accepted" in record.getMessage()
    ] == [True]
    assert rung == [[Lane.ROUTING]]
