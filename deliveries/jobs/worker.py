"""The worker: runs functions of one fixed table, from JSON, and nothing that whoever can write to
Valkey may think of.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread, current_thread, main_thread
from typing import Any

from django.db import InterfaceError, OperationalError, close_old_connections
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker, worker_registration
from rq.job import Job
from rq.serializers import JSONSerializer

from deliveries import jobs
from deliveries.backends import job_queues
from deliveries.backends.stored_jobs import StoredQueue, forbidden
from deliveries.bounces import reclassify
from deliveries.search import exporting
from domains import jobs as domain_jobs
from domains.foundation.process import systemd
from suppressions.exchange import importing

logger = logging.getLogger(__name__)

GRACE = 60.0  # seconds that a job may take to end after RQ has interrupted it

FUNCTIONS: dict[str, Callable[..., Any]] = {
    f"{function.__module__}.{function.__name__}": function
    for function in (
        jobs.drain,
        jobs.sweep,
        jobs.carry_out_orders,
        jobs.carry_on,
        jobs.watch_sources,
        jobs.report_failures,
        jobs.receive_reports,
        jobs.read_dmarc_reports,
        jobs.watch_authentication,
        jobs.watch_switched_keys,
        jobs.learn,
        jobs.add_up,
        jobs.warm_up,
        jobs.index_messages,
        jobs.retain,
        importing.run,
        reclassify.count,
        reclassify.apply,
        exporting.run,
        domain_jobs.seal_audit_log,
        domain_jobs.verify_domain,
        domain_jobs.verify_domains,
        domain_jobs.watch_keys,
        domain_jobs.keep_key_zone,
        domain_jobs.look_at_ourselves,
        domain_jobs.watch_return_paths,
    )
}
# Names of functions before they moved: jobs that waited in Valkey during an upgrade run under them.
FORMER_NAMES = {
    "deliveries.reclassify.count": reclassify.count,
    "deliveries.reclassify.apply": reclassify.apply,
}


def function_of(job: Job) -> Callable[..., Any] | None:
    """Return what a worker runs for this job, or None: then it is refused."""
    return (
        None
        if job.instance is not None
        else FUNCTIONS.get(str(job.func_name)) or FORMER_NAMES.get(str(job.func_name))
    )


class TableJob(Job):
    """A job whose function is looked up in the table."""

    @property
    def func(self) -> Callable[..., Any]:
        return function_of(self) or forbidden(self)

    def perform(self) -> Any:  # RQ's own
        """Run the function; where it returns the arguments of another turn, ring for that, behind
        what waits by now.
        """
        next_turn = super().perform()
        if isinstance(next_turn, tuple):
            job_queues.call(str(self.func_name), *next_turn)
        return None


class TableWorker(SimpleWorker):
    """Runs jobs in its own process: a drain keeps its connections, and a fork for each job would
    cost 15 ms and more.
    """

    job_class = TableJob
    queue_class = StoredQueue
    beat_every = 5.0  # seconds
    max_connection_wait_time = 15.0  # seconds between two tries to reach Valkey again
    # seconds until a worker without a job shows that it is alive; RQ's own 405 would be no sign of
    # life
    dequeue_timeout = 15
    is_told_to_stop = False
    _is_ready = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # RQ's own signature, one argument fixed
        kwargs.update(serializer=JSONSerializer, job_class=TableJob, queue_class=StoredQueue)
        super().__init__(*args, **kwargs)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Log a failed job; in one line while PostgreSQL is away, since every job fails then and
        comes again.
        """
        if isinstance(exc_info[1], OperationalError | InterfaceError):
            logger.warning(
                "job=%s PostgreSQL is out of reach: %s",
                job.func_name,
                str(exc_info[1]).partition("\n")[0],
            )
            return
        super().handle_exception(job, *exc_info)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job between two clean-ups of Django's connections, as Django does around a request.

        A connection that PostgreSQL has ended would fail every job from then on.
        """
        close_old_connections()
        try:
            systemd.alive()
            with self._beating(
                time.monotonic() + (job.timeout or 0) + GRACE if (job.timeout or 0) > 0 else 0.0
            ):
                super().execute_job(job, queue)
        finally:
            close_old_connections()

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Renew the worker's key in Valkey, with all that others know of this worker.

        Valkey may have been wiped, and RQ writes those fields at the start only.
        """
        if current_thread() is main_thread():  # between two jobs
            systemd.alive()
        (self.connection if pipeline is None else pipeline).hset(self.key, mapping=self.serialize())
        worker_registration.register(self, pipeline)
        super().heartbeat(timeout, pipeline)

    # RQ's own: a job and its queue, or None.
    def dequeue_job_and_maintain_ttl(self, *args: Any, **kwargs: Any) -> Any:
        if not self._is_ready:
            self._is_ready = True
            systemd.ready(f"Working on {', '.join(self.queue_names())}")
        return super().dequeue_job_and_maintain_ttl(*args, **kwargs)

    def handle_warm_shutdown_request(self) -> None:
        self.is_told_to_stop = True
        systemd.stopping("Finishing what is under way")
        super().handle_warm_shutdown_request()  # type: ignore[no-untyped-call]  # RQ leaves it so

    @contextmanager
    def _beating(self, allowed_until: float) -> Iterator[None]:
        """Send heartbeats while a job runs: RQ's own worker is silent then, and a drain runs for
        minutes.
        """
        over = Event()
        thread = Thread(target=self._beat_until, args=(over, allowed_until), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _beat_until(self, over: Event, allowed_until: float) -> None:
        """Beat.

        A chore is one call that may take its time, so it counts as alive until RQ's time-out for it
        is over.

        A drain has no time-out and speaks for itself.
        """
        while not over.wait(self.beat_every):
            if time.monotonic() < allowed_until:
                systemd.alive()
            with suppress(RedisError):  # the worker itself will meet it, and wait
                self.heartbeat()
