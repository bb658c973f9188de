"""What a message costs: statements, WAL, and calls of our own functions.

WAL and calls do not depend on the machine's mood. Statements do: a slow machine makes smaller
groups.

A bound stands a little above what was counted when it was written; the figure is in its comment.
Who raises one says why.
"""

import asyncio
import sys
from collections import Counter
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from deliveries.models import Delivery
from tests.deliveries import make
from tests.deliveries.intake.test_committer import running, submission
from tests.deliveries.stage import play
from tests.smtp_listener.conftest import domain, limits, listener, login  # noqa: F401  (fixtures)

pytestmark = pytest.mark.usefixtures("mail_db")

ROOT = Path(__file__).resolve().parents[2]
OURS = tuple(
    f"{ROOT / package}/" for package in ("deliveries", "domains", "suppressions", "smtp_listener")
)
MESSAGE = (
    b"From: shop@shop.test\r\nTo: you@mx.test\r\nSubject: hello\r\nMessage-ID: <%d@shop.test>\r\n"
    b"\r\n"
) + b"hello there\r\n" * 800


class Calls:
    """Counts the calls of functions of ours on the thread that starts it."""

    def __init__(self):
        self.count = 0

    def __call__(self, frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            self.count += 1

    async def start(self):
        sys.setprofile(self)

    async def stop(self):
        sys.setprofile(None)


@pytest.fixture
def round_trips(monkeypatch):
    """Return how many statements each connection sent: each is a round trip and, in autocommit, a
    transaction.
    """
    execute, counted = psycopg.AsyncConnection.execute, Counter()

    async def counting(connection, *words, **given):
        counted[connection.pgconn.parameter_status(b"application_name").decode()] += 1
        return await execute(connection, *words, **given)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", counting)
    return counted


def log_position():
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
        cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
        return cursor.fetchone()[0]


def wal_since(position):
    """Return bytes that our transactions wrote about our tables, without images of whole pages:
    neither VACUUM, ANALYZE, nor others count.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(size - images) FROM (SELECT max(record_length) AS size, "
            "sum(block_fpi_length) AS images"
            " FROM pg_get_wal_block_info(%s, pg_current_wal_insert_lsn(), show_data => false) AS "
            "block"
            " JOIN pg_class ON pg_relation_filenode(pg_class.oid) = block.relfilenode AND "
            "relnamespace <> 'pg_catalog'::regnamespace"
            " WHERE reldatabase = (SELECT oid FROM pg_database WHERE datname = "
            "current_database()) AND xid <> '0'::xid"
            " GROUP BY start_lsn) AS records",
            [position],
        )
        return int(cursor.fetchone()[0])


@pytest.fixture
def submit(listener, login):  # noqa: F811  (fixtures)
    """Hand in so many messages over one session that is open already."""
    with listener.connect(login=login) as client:

        def send(first, amount):
            for number in range(first, first + amount):
                client.sendmail("shop@shop.test", ["you@mx.test"], MESSAGE % number)

        send(0, 5)  # keys, accounts and prepared statements are known from here on
        yield send


def test_a_message_alone_asks_postgresql_once(submit, round_trips):
    submit(100, 20)
    asked = {name: amount / 20 for name, amount in round_trips.items() if "accounts" not in name}
    assert sum(asked.values()) <= 1.2, (
        asked
    )  # 1.0: the commit; whether the recipient is suppressed, the index knows


def test_accepting_a_message_calls_few_functions_of_ours(submit, listener):  # noqa: F811
    calls = Calls()
    listener.run(calls.start())
    submit(200, 50)
    listener.run(calls.stop())
    assert 100 < calls.count / 50 <= 560, (
        calls.count / 50
        # 481 to 514: 20 write the log line so that nobody forges it, some 35 see to the form of
        # From and header
    )


def test_messages_that_gather_are_committed_together(round_trips):
    credential = make.credential()
    given = [
        submission(
            credential, headers=b"From: shop@shop.test\r\nMessage-ID: <%d@shop.test>\r\n" % number
        )
        for number in range(1000)
    ]

    async def main():
        async with running() as intake:
            await asyncio.gather(*map(intake.accept, given))

    before = log_position()
    asyncio.run(main())
    assert Delivery.objects.count() == 1000
    assert (
        round_trips["test"] <= 750
        # 39 to 103, and up to 360 on a busy machine: what gathers while one commit runs goes into
        # the next
    )
    # 1,788,000 with 12 groups and contents that compress to nothing; each group counts for itself
    assert (wal := wal_since(before)) <= 1_820_000 + 1_500 * round_trips["test"], wal


@pytest.mark.parametrize("transcript_days", [0, 7])
def test_delivering_a_thousand_messages_asks_postgresql_seldom(
    settings, round_trips, transcript_days
):
    credential = make.credential(make.project(transcript_days=transcript_days))
    for number in range(1000):
        make.delivery(
            to=f"u{number}@mx.test", of=make.message(credential.project), flow=credential.pk
        )
    calls, before = Calls(), log_position()

    def script(_):
        sys.setprofile(calls)

    try:
        play(settings, script, seconds=60)
    finally:
        sys.setprofile(None)
    wal = wal_since(before)
    drain = {
        name: amount for name, amount in round_trips.items() if name.startswith("ekiden drain")
    }
    assert drain["ekiden drain lanes"] <= 200, (
        drain
    )  # 32, and 69 on a busy machine: claims and contents, up to a hundred at a time
    assert sum(drain.values()) <= 700, (
        drain
    )  # 230: most are the ledger's, whose groups are what comes while one is written
    assert 50 < calls.count / 1000 <= 320, (
        calls.count / 1000
    )  # 281: 24 write the log line so that nobody forges it
    # 1,870,000, of which 56,000 are what refusals mean and the tallies, and 60,000 the locks that a
    # claim takes first
    assert wal <= 1_960_000, wal
