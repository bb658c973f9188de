"""The worker: runs functions of one fixed table, from JSON, and nothing that whoever can write to Valkey may think of."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

from django.db import InterfaceError, OperationalError, close_old_connections
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker, worker_registration
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job
from rq.serializers import JSONSerializer

from deliveries import jobs, reclassify
from deliveries.queues import StoredJob
from domains import jobs as domain_jobs
from suppressions.exchange import importing

logger = logging.getLogger(__name__)

FUNCTIONS: dict[str, Callable[..., Any]] = {
    f"{function.__module__}.{function.__name__}": function
    for function in (
        jobs.drain,
        jobs.sweep,
        jobs.carry_out_orders,
        jobs.report_failures,
        jobs.receive_reports,
        jobs.learn,
        jobs.add_up,
        jobs.retain,
        importing.run,
        reclassify.count,
        reclassify.apply,
        domain_jobs.make_keys,
        domain_jobs.verify_domain,
        domain_jobs.verify_domains,
    )
}


class ForbiddenJob(Exception):
    """A job names a function that is not in the table, or brings more than plain arguments."""


class TableJob(StoredJob):
    """A job whose function is looked up in the table: RQ itself would import any dotted path that Valkey holds."""

    @property
    def func(self) -> Callable[..., Any]:
        if self.instance is not None or self.func_name not in FUNCTIONS:
            raise ForbiddenJob(f"not a function of this service: {str(self.func_name)[:100]!r}")
        return FUNCTIONS[self.func_name]


class TakenJobs(IntermediateQueue):
    """The ids that workers have taken. One that is no text would end every worker, and each again at its start."""

    def drop_other_than_text(self) -> None:
        found: Any = self.connection.lrange(self.key, 0, -1)  # bytes; their type depends on the connection
        for job_id in found:
            if not _is_text(job_id):
                self.connection.lrem(self.key, 0, job_id)

    def get_job_ids(self) -> list[str]:
        self.drop_other_than_text()
        return super().get_job_ids()


class TableQueue(Queue):
    job_class = TableJob

    @property
    def intermediate_queue(self) -> TakenJobs:
        return TakenJobs(self.key, connection=self.connection)

    @classmethod
    def lmove(cls, connection: Redis, queue_key: str, timeout: int | None) -> Any:  # a pair, or None
        taken = super().lmove(connection, queue_key, timeout)
        if taken is None or _is_text(taken[1]):
            return taken
        TakenJobs(queue_key, connection).drop_other_than_text()
        return queue_key, b""  # no job has this id: the next is taken


def _is_text(job_id: bytes) -> bool:
    return job_id.decode("utf-8", "ignore").encode() == job_id


class TableWorker(SimpleWorker):
    """Runs jobs in its own process: a drain keeps its connections, and a fork for each job would cost 15 ms and more."""

    job_class = TableJob
    queue_class = TableQueue
    beat_every = 5.0  # seconds

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # RQ's own signature, one argument fixed
        kwargs.update(serializer=JSONSerializer, job_class=TableJob, queue_class=TableQueue)
        super().__init__(*args, **kwargs)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """While PostgreSQL is away every ring fails, and is rung again: one line for each is enough."""
        if isinstance(exc_info[1], OperationalError | InterfaceError):
            logger.warning("job=%s PostgreSQL is out of reach: %s", job.func_name, str(exc_info[1]).partition("\n")[0])
            return
        super().handle_exception(job, *exc_info)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """As Django does around a request: a connection that PostgreSQL has ended would fail every job from then on."""
        close_old_connections()
        try:
            with self._beating():
                super().execute_job(job, queue)
        finally:
            close_old_connections()

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """With all that others know of this worker: Valkey may have been wiped, and RQ says it at the start only."""
        (self.connection if pipeline is None else pipeline).hset(self.key, mapping=self.serialize())
        worker_registration.register(self, pipeline)
        super().heartbeat(timeout, pipeline)

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """RQ's worker is silent while a job runs, and a drain runs for minutes."""
        over = Event()
        thread = Thread(target=self._beat_until, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _beat_until(self, over: Event) -> None:
        while not over.wait(self.beat_every):
            with suppress(RedisError):  # the worker itself will meet it, and wait
                self.heartbeat()
