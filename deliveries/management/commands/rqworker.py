"""Run a worker on the given queues."""

import logging
import os
import time
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError
from rq.worker.base import DequeueStrategy

from deliveries import loglines, queues
from deliveries.workers import TableWorker
from domains import starting, systemd
from domains.command import CommandError, CommandParser, EkidenCommand

# Who hands mail in waits for an answer, and mail that is stored can wait: in a burst that is more than the machine carries,
# listeners go first (1,490 messages a second are taken on 2 cores instead of 1,260), and the backlog is sent when it is over.
# A unit of systemd sets it by itself (`Nice=`), and confines the process so that it may not.
NICENESS = 10
AGAIN = 2.0  # seconds until Valkey is asked again after it was out of reach
PATIENCE = 60.0  # seconds that systemd allows the start from each try on


class Command(EkidenCommand):
    help = "Run a worker: on the queue `deliveries` it delivers mail, on `maintenance` it does the chores."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queues", nargs="+", metavar="QUEUE", help="deliveries or maintenance")
        parser.add_argument("--burst", action="store_true", help="stop when the queues are empty")

    def handle(self, *args: Any, **options: Any) -> None:
        unknown = set(options["queues"]) - {queues.DELIVERIES, queues.MAINTENANCE}
        if unknown:
            raise CommandError(f"No such queue: {', '.join(sorted(unknown))}. There are deliveries and maintenance.")
        logging.getLogger("rq.worker").setLevel(logging.WARNING)
        loglines.spare_records()
        starting.admit()
        if queues.DELIVERIES in options["queues"]:
            step_back()
        while True:
            try:
                return work(options["queues"], burst=options["burst"])
            except RedisError as error:
                if options["burst"]:
                    raise
                systemd.say_error(f"ekiden: Valkey is out of reach: {error}; trying again")
                systemd.waiting("Waiting for Valkey", seconds=PATIENCE)
                time.sleep(AGAIN)


def step_back() -> None:
    """Let other processes go first, as far as whoever started this one has not seen to it."""
    wanted = NICENESS - os.getpriority(os.PRIO_PROCESS, 0)
    if wanted > 0:
        with suppress(PermissionError):
            os.nice(wanted)


def work(names: list[str], *, burst: bool) -> None:
    """Run one worker until it is told to stop; raises `RedisError` where Valkey is out of reach before that."""
    with queues.signals_kept():
        worker = TableWorker(names, connection=queues.connect())
        try:
            worker.work(burst=burst, logging_level="WARNING", dequeue_strategy=DequeueStrategy.DEFAULT)
        except RedisError:
            if not worker.is_told_to_stop:  # then only its farewell was not heard
                raise
