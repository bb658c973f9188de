"""Run a worker on the given queues."""

import logging
import os
from typing import Any

from rq.worker.base import DequeueStrategy

from deliveries import loglines, queues
from deliveries.workers import TableWorker
from domains.command import CommandError, CommandParser, EkidenCommand

# Who hands mail in waits for an answer, and mail that is stored can wait: in a burst that is more than the machine carries,
# listeners go first (1,490 messages a second are taken on 2 cores instead of 1,260), and the backlog is sent when it is over.
NICENESS = 10


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
        if queues.DELIVERIES in options["queues"]:
            os.nice(NICENESS)
        worker = TableWorker(options["queues"], connection=queues.connect())
        worker.work(burst=options["burst"], logging_level="WARNING", dequeue_strategy=DequeueStrategy.DEFAULT)
