"""What Valkey holds as jobs is data: nobody here unpickles it or imports what it names.

django-rq's pages, RQ's registries and its workers read jobs by RQ's own class, often without the
serializer of the queue, and RQ's default is pickle. So `harden` changes these classes for the whole
process, before anything reads a job.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django_rq.queues import DjangoRQ
from redis import Redis
from rq.exceptions import NoSuchJobError
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job
from rq.serializers import DefaultSerializer, JSONSerializer

_restore = Job.restore


class ForbiddenJob(Exception):
    """A job names a function that is not in the table, or brings more than plain arguments."""


def harden() -> None:
    """Take from RQ what would run something that Valkey names.

    A worker's own class of job gives back the functions of its table.
    """
    rq: Any = DefaultSerializer  # methods of classes that are not ours
    rq.dumps, rq.loads = JSONSerializer.dumps, JSONSerializer.loads
    job: Any = Job
    job.restore, job.func = restore, property(forbidden)


def restore(job: Job, raw_data: Any) -> None:  # RQ leaves the shape of a Valkey hash untyped
    """Read a job as RQ does, without what could call or reach something else: callbacks by path,
    webhooks, results.

    Raises `NoSuchJobError` for what cannot be read: RQ passes over that, where any other error
    would end the worker.
    """
    try:
        _restore(job, {key: value for key, value in raw_data.items() if not _is_dangerous(key)})
    except Exception as error:  # hostile bytes: whatever they make RQ raise
        raise NoSuchJobError("Unexpected job format") from error


def forbidden(job: Job) -> Callable[..., Any]:
    """Raise `ForbiddenJob`: RQ itself would import any dotted path that Valkey holds."""
    raise ForbiddenJob(f"not a function of this service: {str(job.func_name)[:100]!r}")


def _is_dangerous(key: bytes | str) -> bool:
    name = key.decode("utf-8", "replace") if isinstance(key, bytes) else key
    return "callback" in name or name in {"webhooks", "result", "meta"}


class TakenJobs(IntermediateQueue):
    """The ids that workers have taken.

    One that is no text would end every worker, and each again at its start.
    """

    def drop_other_than_text(self) -> None:
        # Bytes; their type depends on the connection.
        found: Any = self.connection.lrange(self.key, 0, -1)
        for job_id in found:
            if not _is_text(job_id):
                self.connection.lrem(self.key, 0, job_id)

    def get_job_ids(self) -> list[str]:
        self.drop_other_than_text()
        return super().get_job_ids()


class StoredQueue(DjangoRQ):
    """django-rq's queue, whose workers pass over ids that are no text."""

    @property
    def intermediate_queue(self) -> TakenJobs:
        return TakenJobs(self.key, connection=self.connection)

    @classmethod  # it returns a pair, or None
    def lmove(cls, connection: Redis, queue_key: str, timeout: int | None) -> Any:
        taken = super().lmove(connection, queue_key, timeout)
        if taken is None or _is_text(taken[1]):
            return taken
        TakenJobs(queue_key, connection).drop_other_than_text()
        return queue_key, b""  # no job has this id: the next is taken


def _is_text(job_id: bytes) -> bool:
    return job_id.decode("utf-8", "ignore").encode() == job_id
