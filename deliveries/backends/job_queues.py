"""The queues of jobs in Valkey: names from a fixed table go in, as JSON, and nothing else."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import django_rq
from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.exceptions import DeserializationError
from rq.job import Job

logger = logging.getLogger(__name__)

DELIVERIES, MAINTENANCE = "deliveries", "maintenance"
DAY = 86_400


def connect(*, patience: float = 10) -> Redis:
    """Connect to Valkey; `patience` is the seconds to wait for each answer."""
    return Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=patience)


def queue(name: str, connection: Redis | None = None) -> Queue:
    """Return the queue as `RQ_QUEUES` and `RQ` of the settings have it."""
    return django_rq.get_queue(name, connection=connection or connect())


def enqueue_drain() -> None:
    """Enqueue a drain unless one waits already: one drain takes all the lanes it finds."""
    waiting = queue(DELIVERIES)
    if not len(waiting):
        waiting.enqueue("deliveries.jobs.drain", job_timeout=-1, result_ttl=0, failure_ttl=DAY)


def enqueue(
    function: str, *ids: int | str, only_once: bool = False, is_urgent: bool = False
) -> None:
    """Enqueue a maintenance job by its dotted name, see `deliveries.jobs.worker.FUNCTIONS`.

    With `only_once` nothing is added while one like it waits: a job is a wake-up, and one is
    enough. An urgent one goes before all that wait.
    """
    waiting = queue(MAINTENANCE)
    if only_once and function in map(_name, waiting.get_jobs()):
        return
    waiting.enqueue(
        function, *ids, job_timeout=3600, result_ttl=0, failure_ttl=DAY, at_front=is_urgent
    )


def call(function: str, *ids: int | str) -> None:
    """Ring for a job that comes by itself as well: without Valkey it is only later."""
    try:
        enqueue(function, *ids, only_once=not ids)
    except (RedisError, OSError) as error:
        logger.warning("the job %s could not be called; it comes by itself: %s", function, error)


@contextmanager
def signals_kept() -> Iterator[None]:
    """Put back the handlers that RQ's worker and scheduler replace: between two of them a signal
    ends the process.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _name(job: Job) -> str:
    try:
        return str(job.func_name)
    except DeserializationError:
        return ""
