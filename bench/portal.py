"""How long the portal's pages take at the server: `python -m bench.portal --deliveries 100000
10000000`, each on a PostgreSQL of its own. Prints a table, and the plan of the slowest statement
of what is slow.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.lookups import server_cpu, with_database
from bench.portal_rows import RECIPIENTS, fill, settle

TIMES = 5  # that each page is asked for, after a first look
WORTH_A_PLAN = 20  # milliseconds of a statement


@dataclass(frozen=True, slots=True)
class PageTime:
    """Milliseconds at the server, of the first look and of those after it; `cpu` is our own and
    `server_cpu` PostgreSQL's, which other work on the machine changes less.
    """

    name: str
    path: str
    most: int  # that it may take
    first: float
    median: float
    cpu: float
    server_cpu: float
    queries: int
    slowest: tuple[str, float]  # statement, milliseconds

    @property
    def is_slow(self) -> bool:
        return self.median > self.most

    @property
    def is_slow_alone(self) -> bool:
        """Tell whether it would be on a machine without other work."""
        return self.cpu + self.server_cpu > self.most


def pages(deliveries: int) -> list[tuple[str, str, int]]:
    """Return what is asked for, and how many milliseconds each may take."""
    from deliveries.models import Message

    messages = deliveries // RECIPIENTS
    number = messages * 3 // 4  # of this morning
    one = Message.objects.get(message_id=f"<{number}@bench.test>")
    to = one.deliveries.order_by("pk")[0]
    mail, rows = "/deliveries/message/", "/deliveries/delivery/"
    return [
        ("home, 24 hours", "/", 300),
        ("home, an hour", "/?range=1h", 300),
        ("home, 7 days", "/?range=7d", 300),
        ("home, 30 days", "/?range=30d", 300),
        ("list of messages", mail, 300),
        ("list of deliveries", rows, 300),
        ("list of deliveries, deferred", f"{rows}?state=deferred", 300),
        ("list of deliveries, bounced", f"{rows}?state=bounced", 300),
        ("list of receivers", "/deliveries/lane/", 300),
        ("list of suppressions", "/suppressions/suppression/", 300),
        ("error rates", "/error-rates/", 300),
        ("one message", f"{mail}{one.pk}/change/", 300),
        ("search: recipient", f"{mail}?q={to.recipient}", 200),
        ("search: recipient domain", f"{mail}?q={to.domain}", 200),
        ("search: Message-ID", f"{mail}?q=<{number}@bench.test>", 200),
        ("search: queue id", f"{mail}?q={one.pk}", 200),
        ("search: beginning of an id", f"{mail}?q={str(one.pk)[:8]}", 200),
        ("search: sender", f"{mail}?q=shop7@sender.test", 200),
        ("search: rare word", f"{mail}?q={number}", 200),
        ("search: common word", f"{mail}?q=shipped", 200),
        ("search: two words", f"{mail}?q=order+{number}", 200),
        ("search: nothing", f"{mail}?q=nobody@nowhere.test", 200),
        ("search: in a project, bounced", f"{mail}?project={one.project_id}&state=bounced", 200),
        ("search: suppressed address", "/suppressions/suppression/?q=user7@d7.test", 200),
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    asked = argparse.ArgumentParser(prog="python -m bench.portal", description=__doc__)
    asked.add_argument("--deliveries", type=int, nargs="+", default=[100_000], metavar="N")
    asked.add_argument(
        "--plans", action="store_true", help="print the plan of every page's slowest statement"
    )
    given = asked.parse_args(arguments)
    first, *others = given.deliveries
    os.environ["EKIDEN_SECRET_KEY"] = secrets.token_hex(32)
    with_database(lambda: _measure(first, with_plans=given.plans))
    plans = ["--plans"] if given.plans else []
    for each in others:  # Django knows one database in a process
        again = [sys.executable, "-m", "bench.portal", "--deliveries", str(each), *plans]
        subprocess.run(again, check=True)  # noqa: S603  (this module)


def _measure(deliveries: int, *, with_plans: bool) -> None:
    started = time.monotonic()
    fill(deliveries)
    settle()
    _say(f"{deliveries:,} deliveries written in {time.monotonic() - started:.0f} s\n")
    client = owner()
    found = [_time(client, *page) for page in pages(deliveries)]
    for line in table(found):
        _say(line)
    slow = [each for each in found if each.is_slow]
    alone = sum(each.is_slow_alone for each in found)
    _say(f"\n{len(slow)} of {len(found)} pages take longer than they may, {alone} by CPU alone.")
    for each in found if with_plans else slow:
        statement, milliseconds = each.slowest
        if milliseconds < WORTH_A_PLAN and not with_plans:
            _say(f"\n{each.name}: no statement takes more than {milliseconds:.0f} ms.")
            continue
        _say(
            f"\n{each.name}, {milliseconds:.0f} ms of PostgreSQL:\n{statement}\n{_plan(statement)}"
        )


def table(found: Sequence[PageTime]) -> list[str]:
    """Return the lines of the table in docs/performance.md."""
    lines = [
        "| page | first, ms | then, ms | may, ms | our CPU, ms | PostgreSQL's | statements |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in found:
        mark = " (slow)" if each.is_slow else ""
        lines.append(
            f"| {each.name}{mark} | {each.first:.0f} | {each.median:.0f} | {each.most} "
            f"| {each.cpu:.0f} | {each.server_cpu:.0f} | {each.queries} |"
        )
    return lines


def _time(client: Any, name: str, path: str, most: int) -> PageTime:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    first = ask(client, path)
    connection.ensure_connection()
    server = connection.connection.info.backend_pid
    spent, served = time.process_time(), server_cpu(server)
    later = [ask(client, path) for _ in range(TIMES)]
    cpu = (time.process_time() - spent) / TIMES * 1000
    served = (server_cpu(server) - served) / TIMES * 1000
    with CaptureQueriesContext(connection) as captured:
        ask(client, path)
    slowest = max(captured.captured_queries, key=lambda query: float(query["time"]))
    return PageTime(
        name, path, most, first, statistics.median(later), cpu, served, len(captured),
        (slowest["sql"], float(slowest["time"]) * 1000),
    )  # fmt: skip


def ask(client: Any, path: str) -> float:
    started = time.perf_counter()
    answer = client.get(path, follow=True)  # a search with one answer leads to it
    took = (time.perf_counter() - started) * 1000
    if answer.status_code != 200:
        raise SystemExit(f"{path} answered {answer.status_code}")
    return took


def _plan(statement: str) -> str:
    """Return how PostgreSQL runs it."""
    from django.db import connection

    with connection.cursor() as cursor:
        try:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}")
        except Exception as error:  # a statement that cannot be explained alone
            return str(error)
        return "\n".join(row[0] for row in cursor.fetchall())


def owner() -> Any:
    """Return a client with a session of an owner, and its second factor."""
    from django.test import Client
    from django_otp import DEVICE_ID_SESSION_KEY
    from django_otp.plugins.otp_totp.models import TOTPDevice

    from relay_portal.models import User

    user = User.objects.create_superuser("bench")
    device = TOTPDevice.objects.create(user=user, name="default")
    client = Client(SERVER_NAME="localhost")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session.save()
    return client


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
