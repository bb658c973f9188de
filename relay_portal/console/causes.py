"""What keeps parts from their work and their own answers do not say: `status` names it, so that
nobody has to look for it in the logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db import Error, connection
from redis.exceptions import RedisError

from deliveries.backends import job_queues
from deliveries.capacity import inflow
from deliveries.queue import drain_files
from domains.foundation import sql
from domains.foundation.process.pulse import described

PATIENCE = 2.0  # seconds
FEW_FILES = 4096
CLOCK = 60.0  # seconds by which the clock was set that people are told
SESSIONS = ("listener", "worker")  # the processes with a file for each connection


def find(processes: list[dict[str, Any]]) -> list[str]:
    """Return each cause in a sentence that begins with its name; `processes` as
    `readiness.supervised` gives them.
    """
    return [
        *_databases(),
        *_valkey(),
        *_name_servers(),
        *_stopped(processes),
        *_files(processes),
        *_clock(),
    ]


def _databases() -> Iterator[str]:
    try:
        if sql.value("SELECT current_setting('transaction_read_only')") == "on":
            yield (
                "POSTGRESQL: it takes no writes (read only). Apps hear 451 until it does, or"
                " DATABASE_URL leads to one that does."
            )
    except Error as error:
        connection.close()
        yield (
            f"POSTGRESQL: {_plain(error)}. Apps hear 451 until it is back; what was accepted is"
            " kept."
        )


def _valkey() -> Iterator[str]:
    try:
        with job_queues.connect(patience=PATIENCE) as valkey:
            valkey.set("ekiden:status", "1", ex=60)
    except (RedisError, OSError) as error:
        yield (
            f"VALKEY: {_plain(error)}. Mail goes on; chores such as reports wait until it takes"
            " writes again."
        )


def _name_servers() -> Iterator[str]:
    """Say that no name server answers, as workers found it."""
    if complaint := inflow.dns_outage():
        yield (
            f"DNS: {_plain(complaint)}. Domains that are known get their mail; that of others"
            " waits, without using up a try."
        )


def _stopped(processes: list[dict[str, Any]]) -> Iterator[str]:
    for name, pid in _running(processes):
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t"):
                yield (
                    f"STOPPED: {name} (process {pid}) was stopped by a signal, or by a debugger."
                    f" It goes on by: kill -CONT {pid}"
                )


def _files(processes: list[dict[str, Any]]) -> Iterator[str]:
    for name, pid in _running(processes):
        if not name.startswith(SESSIONS):
            continue
        with suppress(OSError, ValueError):
            [line] = [
                line
                for line in Path(f"/proc/{pid}/limits").read_text().split("\n")
                if line.startswith("Max open files")
            ]
            most, used = int(line.split()[3]), len(list(Path(f"/proc/{pid}/fd").iterdir()))
            if most < FEW_FILES:
                advice = f"Raise the limit: LimitNOFILE={4 * FEW_FILES} in a unit, or ulimit -n."
                yield (
                    f"OPEN FILES: {name} (process {pid}) may open {most} and has {used}; each"
                    f" session is one. {advice}"
                )


def _clock() -> Iterator[str]:
    if abs(seconds := drain_files.clock_was_set()) > CLOCK:
        yield (
            f"CLOCK: it was set {described(seconds)} within the last minutes. What was due by the"
            " clock before is due by that of now."
        )


def _running(processes: list[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    return ((each["name"], each["pid"]) for each in processes if each["pid"])


def _plain(text: object) -> str:
    """Return the first line of a text, without a full stop."""
    return str(text).strip().partition("\n")[0].rstrip(".")
