"""Which jobs run regularly, by RQ's own cron scheduler: wake-ups in case others were lost, and the
daily chores.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

from django_rq.cron import DjangoCronScheduler
from redis import Redis
from redis.exceptions import RedisError
from rq.cron import CronJob
from rq.exceptions import StopRequested

from deliveries import jobs
from deliveries.backends import job_queues
from domains import jobs as domain_jobs
from domains.foundation.process import systemd
from domains.foundation.process.pulse import Pulse

logger = logging.getLogger(__name__)

# Seconds between two runs. All are harmless when nothing is to be done, and harmless twice.
DRAIN_EVERY = 5
ROUND = 75.0  # seconds: a round of RQ's loop takes up to 60
MARK = "ekiden:filled"  # stands in Valkey as long as it keeps what it is given
TABLE: tuple[tuple[Callable[[], object], int], ...] = (
    (jobs.sweep, 15),
    (jobs.carry_out_orders, 5),
    (jobs.carry_on, 15),
    (jobs.watch_sources, 10),
    (jobs.report_failures, 5),
    (jobs.receive_reports, 5),
    (jobs.read_dmarc_reports, 60),
    (jobs.watch_authentication, 60),
    (jobs.watch_switched_keys, 15),
    (jobs.learn, 5),
    (jobs.index_messages, 10),
    (jobs.add_up, 60),
    (jobs.warm_up, 10),
    (jobs.retain, 600),
    (domain_jobs.seal_audit_log, 1),
    (domain_jobs.verify_domains, 3600),
    (domain_jobs.watch_keys, 600),
    (domain_jobs.keep_key_zone, 60),
    (domain_jobs.look_at_ourselves, 3600),
    (domain_jobs.watch_return_paths, 600),
)
# A record that is gone costs mail with each second.
URGENT = frozenset({jobs.watch_switched_keys})


class ScheduledJob(CronJob):
    """A scheduled job that goes through our own queue: as JSON, and not a second time while one
    waits.
    """

    def __init__(self, notify: Callable[[], object], **kwargs: Any) -> None:  # RQ's own arguments
        super().__init__(**kwargs)
        self._notify = notify

    def enqueue(self, connection: Redis) -> Any:  # RQ's caller does not look at the result
        self._notify()


class Scheduler(DjangoCronScheduler):
    """django-rq's scheduler, which tells systemd how it is."""

    is_told_to_stop = False

    def __init__(self, **kwargs: Any) -> None:  # RQ's own arguments
        super().__init__(**kwargs)
        self.pulse = Pulse(asleep=ROUND)
        self._has_filled = False

    def _request_stop(self, signum: int, frame: Any) -> NoReturn:
        self.is_told_to_stop = True
        systemd.stopping("Stopping")
        raise StopRequested

    def register_birth(self) -> None:
        super().register_birth()
        systemd.ready("Ringing for the chores")

    def heartbeat(self) -> None:
        """Say that the scheduler is alive, and begin its intervals anew where the clock was set
        back.

        It is called once in each round of the loop.
        """
        systemd.alive()
        if self.pulse.beat() < 0:  # else the next would run when the clock comes there again
            self.begin_intervals()
        self._look_for_mark()
        super().heartbeat()

    def begin_intervals(self) -> None:
        for job in self.get_jobs():
            job.set_enqueue_time(datetime.now(UTC))

    def _look_for_mark(self) -> None:
        """Tell in the log where Valkey has lost what it held: that is why limits count anew and
        workers are missed for a while.
        """
        is_new = self.connection.set(MARK, "1", nx=True)
        if is_new and self._has_filled:
            logger.warning(
                "event=valkey-emptied text=Valkey has lost all it held; limits count anew, and"
                " jobs are enqueued again"
            )
        self._has_filled = True


def scheduler() -> Scheduler:
    """Return django-rq's scheduler with our table; `start()` runs it until a signal comes."""
    built = Scheduler(connection=job_queues.connect(), logging_level=logging.WARNING)
    built.get_jobs().append(
        ScheduledJob(
            job_queues.enqueue_drain,
            queue_name=job_queues.DELIVERIES,
            func=jobs.drain,
            interval=DRAIN_EVERY,
        )
    )
    for function, seconds in TABLE:
        name = f"{function.__module__}.{function.__name__}"
        built.get_jobs().append(
            ScheduledJob(
                _ringer(name, is_urgent=function in URGENT),
                queue_name=job_queues.MAINTENANCE,
                func=function,
                interval=seconds,
            )
        )
    built.begin_intervals()
    return built


def run() -> None:
    """Run until told to stop; raises `RedisError` where Valkey is out of reach before that."""
    with job_queues.signals_kept():
        built = scheduler()
        try:
            built.start()  # type: ignore[no-untyped-call]  # RQ leaves it so
        except StopRequested:  # before its loop had begun
            return
        except RedisError:
            if not built.is_told_to_stop:  # then only its farewell was not heard
                raise


def _ringer(name: str, *, is_urgent: bool) -> Callable[[], None]:
    return lambda: job_queues.enqueue(name, only_once=True, is_urgent=is_urgent)
