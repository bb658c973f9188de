"""The queues of jobs in Valkey: names from a fixed table go in, as JSON, and nothing else."""

from __future__ import annotations

from django.conf import settings
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

DELIVERIES, MAINTENANCE = "deliveries", "maintenance"
DAY = 86_400


def connect() -> Redis:
    return Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=10)


def queue(name: str, connection: Redis | None = None) -> Queue:
    return Queue(name, connection=connection or connect(), serializer=JSONSerializer)


def enqueue_drain() -> None:
    """One drain waits in the queue, never two: a drain takes all the lanes it finds."""
    waiting = queue(DELIVERIES)
    if not len(waiting):
        waiting.enqueue("deliveries.jobs.drain", job_timeout=-1, result_ttl=0, failure_ttl=DAY)


def enqueue(function: str, *ids: int | str, only_once: bool = False) -> None:
    """A maintenance job by its dotted name, see `deliveries.workers.FUNCTIONS`.

    With `only_once` nothing is added while one like it waits: a job is a doorbell, and one ring is enough.
    """
    waiting = queue(MAINTENANCE)
    if only_once and function in {job.func_name for job in waiting.get_jobs()}:
        return
    waiting.enqueue(function, *ids, job_timeout=3600, result_ttl=0, failure_ttl=DAY)
