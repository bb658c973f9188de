"""What the question "is this address suppressed?" costs: `python -m bench.lookups 5000000`, on a
PostgreSQL of its own.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from relay_portal.servers.embedded import EmbeddedPostgres, runtime_folder, state_folder
from suppressions.index import Index
from suppressions.lookup import Lookup, Question

if TYPE_CHECKING:
    from deliveries.backends.database import Database

FILL = """
INSERT INTO suppressions_suppression (source, address_key, reason)
SELECT 'automatic', 'gone' || number || '@d' || number %% 1000 || '.test',
    'Unknown recipient: 550 5.1.1 User unknown'
FROM generate_series(1, %s) number
"""
ASKED = 100_000
AT_ONCE = 20  # sessions that ask while a query runs


def main(amount: int) -> None:
    with_database(lambda: _measure(amount))


def with_database(work: Callable[[], object]) -> None:
    """Run `work` with Django over an empty database, and remove its PostgreSQL afterwards."""
    data = Path(tempfile.mkdtemp(prefix="ekiden-bench-", dir="/var/tmp"))
    data.chmod(0o711)
    postgres = EmbeddedPostgres(data, durable=False)
    postgres.prepare()
    postgres.start()
    try:
        postgres.make_database("ekiden")
        os.environ |= {
            "DATABASE_URL": postgres.url,
            "EKIDEN_DATA": str(data),
            "DJANGO_SETTINGS_MODULE": "relay_portal.settings",
        }
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        work()
    finally:
        postgres.stop()
        for folder in (state_folder(data), runtime_folder(data), data):
            shutil.rmtree(folder, ignore_errors=True)


def _measure(amount: int) -> None:
    from django.db import connection  # Django has to be set up before

    with connection.cursor() as cursor:
        cursor.execute(FILL, [amount])
        cursor.execute("VACUUM ANALYZE suppressions_suppression")
    asyncio.run(_ask(amount))


async def _ask(amount: int) -> None:
    from deliveries.backends.database import Database  # Django has to be set up before

    database = Database("lookups", patience=300)
    index, before = Index(database), _memory()
    started = time.monotonic()
    await index.turn()
    await index.turn()  # what came meanwhile: from now on it is believed
    _say(
        f"index of {amount:,}: read in {time.monotonic() - started:.1f} s, "
        f"{_memory() - before:.0f} MiB more at the peak"
    )
    free = [
        Question(1, f"user{number}@d{number % 1000}.test", f"d{number % 1000}.test", "shop.test")
        for number in range(ASKED)
    ]
    gone = [
        Question(
            1, f"gone{number + 1}@d{(number + 1) % 1000}.test", f"d{(number + 1) % 1000}.test", ""
        )
        for number in range(2000)
    ]
    spent = time.process_time()
    found = sum(not index.excludes(question.key, question.domain) for question in free)
    each = (time.process_time() - spent) / len(free) * 1e6
    _say(f"not suppressed, by the index: {each:.1f} us of CPU, {found} of {ASKED:,} in doubt")
    await _time("suppressed, by PostgreSQL", Lookup(database), gone, database)
    await _time(
        "not suppressed, by PostgreSQL (without the index)", Lookup(database), free[:2000], database
    )
    await database.close()


async def _time(title: str, lookup: Lookup, asked: list[Question], database: Database) -> None:
    [(pid,)] = await database.fetch("SELECT pg_backend_pid()")
    for at_once in (1, AT_ONCE):
        before, server = time.process_time(), server_cpu(pid)
        answers = []
        for start in range(0, len(asked), at_once):
            answers += await asyncio.gather(
                *(lookup.reason(question) for question in asked[start : start + at_once])
            )
        spent, served = time.process_time() - before, server_cpu(pid) - server
        said = sum(answer is not None for answer in answers)
        each, servers = (spent + served) / len(asked) * 1e6, served / len(asked) * 1e6
        _say(
            f"{title}, {at_once} at once: {each:.0f} us of CPU, {servers:.0f} of them the "
            f"server's; {said} yes"
        )


def server_cpu(pid: int) -> float:
    """Return the seconds of CPU that a process of PostgreSQL has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000)
