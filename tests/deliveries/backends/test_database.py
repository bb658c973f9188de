"""What every connection of the mail path promises."""

import asyncio
import gc

import psycopg
import pytest
from django.db import connection

from deliveries.backends.database import Database, DatabaseUnavailable

pytestmark = pytest.mark.usefixtures("mail_db")


def fetch(sql, parameters=None):
    async def main():
        database = Database("test")
        try:
            return await database.fetch(sql, parameters)
        finally:
            await database.close()

    return asyncio.run(main())


@pytest.mark.parametrize(
    "whose", ["ROLE CURRENT_USER", "DATABASE {name}", "ROLE CURRENT_USER IN DATABASE {name}"]
)
def test_a_commit_reaches_the_disk_whatever_the_role_or_the_database_has_set(whose):
    whose = whose.format(name=connection.ops.quote_name(connection.settings_dict["NAME"]))
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER {whose} SET synchronous_commit = off")
        try:
            assert fetch("SHOW synchronous_commit") == [("on",)]
        finally:
            cursor.execute(f"ALTER {whose} RESET synchronous_commit")


def test_a_row_too_large_for_an_index_is_the_statements_fault_and_not_the_servers():
    with pytest.raises(psycopg.errors.ProgramLimitExceeded):
        fetch("INSERT INTO deliveries_lane (site, source, hosts, tls, is_routed, epoch, failures, "
            "pause_reason)"
              " SELECT string_agg(md5(i::text), ''), '', '[]', 'none', false, 0, 0, '' FROM "
                  "generate_series(1, 500) i")  # fmt: skip


@pytest.mark.parametrize("steps", range(1, 9))
def test_who_is_cut_off_while_it_connects_leaves_no_connection(steps):
    """After each number of steps of the loop: somewhere among them the connection is made and not
    yet handed over.
    """

    async def main():
        database = Database("cut off")
        fetching = asyncio.create_task(database.fetch("SELECT 1"))
        for _ in range(steps):
            await asyncio.sleep(0.001)
        fetching.cancel()
        await asyncio.wait({fetching})
        await database.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)

    asyncio.run(main())
    gc.collect()  # psycopg warns of one that is left open, and warnings are errors


def test_a_server_that_writes_nothing_is_as_good_as_away_and_is_left():
    """A standby after a failover, or a provider's answer to a full disk: another connection may be
    better.
    """

    async def main():
        database = Database("test")
        await database.fetch("SET default_transaction_read_only = on")
        with pytest.raises(DatabaseUnavailable, match="read-only"):
            await database.fetch("DELETE FROM deliveries_attempt")
        await database.fetch("DELETE FROM deliveries_attempt")
        await database.close()

    asyncio.run(main())
