"""Run a worker on the given queues."""

import logging
import time
from typing import Any

import django_rq
from redis.exceptions import RedisError
from rq.worker.base import DequeueStrategy

from deliveries.backends import job_queues, loglines
from domains.foundation.command import CommandError, CommandParser, EkidenCommand
from domains.foundation.process import systemd
from domains.operations import starting

AGAIN = 2.0  # seconds until Valkey is asked again after it was out of reach
PATIENCE = 60.0  # seconds that systemd allows the start from each try on


class Command(EkidenCommand):
    help = (
        "Run a worker: on the queue `deliveries` it delivers mail, on `maintenance` it does the "
        "chores."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queues", nargs="+", metavar="QUEUE", help="deliveries or maintenance")
        parser.add_argument("--burst", action="store_true", help="stop when the queues are empty")

    def handle(self, *args: Any, **options: Any) -> None:
        unknown = set(options["queues"]) - {job_queues.DELIVERIES, job_queues.MAINTENANCE}
        if unknown:
            raise CommandError(
                f"No such queue: {', '.join(sorted(unknown))}. There are deliveries and "
                "maintenance."
            )
        logging.getLogger("rq.worker").setLevel(logging.WARNING)
        loglines.spare_records()
        starting.admit()
        while True:
            try:
                return work(options["queues"], burst=options["burst"])
            except RedisError as error:
                if options["burst"]:
                    raise
                systemd.say_error(f"ekiden: Valkey is out of reach: {error}; trying again")
                systemd.waiting("Waiting for Valkey", seconds=PATIENCE)
                time.sleep(AGAIN)


def work(names: list[str], *, burst: bool) -> None:
    """Run one worker until it is told to stop; raises `RedisError` where Valkey is out of reach
    before that.
    """
    with job_queues.signals_kept():
        worker: Any = django_rq.get_worker(*names)  # of the class that the settings name
        try:
            worker.work(
                burst=burst, logging_level="WARNING", dequeue_strategy=DequeueStrategy.DEFAULT
            )
        except RedisError:
            if not worker.is_told_to_stop:  # then only its farewell was not heard
                raise
