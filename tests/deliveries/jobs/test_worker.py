"""Whoever can write to Valkey can ring our bells, and do nothing else: no job runs code that is
not in the table.
"""

import time
from datetime import timedelta

import pytest
from django.utils import timezone
from rq import Worker

from deliveries.backends import job_queues
from deliveries.jobs import schedule
from deliveries.jobs import worker as workers
from deliveries.jobs.worker import TableWorker
from deliveries.models import Delivery
from tests.deliveries import make
from tests.deliveries.jobs.attacks import as_json, jobs, push, work

pytestmark = pytest.mark.usefixtures("mail_db")


@pytest.mark.parametrize("kind", jobs(""))
def test_a_job_that_an_attacker_wrote_runs_nothing_and_the_worker_goes_on(
    valkey, fuse, tmp_path, kind
):
    late = make.delivery(expires_at=timezone.now() - timedelta(minutes=1))
    push(valkey, 1, **jobs(fuse)[kind])
    job_queues.enqueue("deliveries.jobs.sweep")
    work(valkey)
    assert list(tmp_path.iterdir()) == []
    assert Delivery.objects.get(pk=late.pk).state == "expired"


def test_ids_that_are_no_text_end_no_worker(valkey):
    late = make.delivery(expires_at=timezone.now() - timedelta(minutes=1))
    for name in ("", ":intermediate"):
        valkey.rpush(f"rq:queue:{job_queues.MAINTENANCE}{name}", b"\xff\xfe")
    job_queues.enqueue("deliveries.jobs.sweep")
    work(valkey)
    assert Delivery.objects.get(pk=late.pk).state == "expired"
    assert not valkey.exists(f"rq:queue:{job_queues.MAINTENANCE}:intermediate")


def test_a_worker_is_known_again_after_a_wipe_though_its_job_goes_on(valkey, monkeypatch):
    seen = []

    def long_job():
        valkey.flushdb()
        until = time.monotonic() + 5
        while not (known := known_now(valkey)) and time.monotonic() < until:
            time.sleep(0.01)
        seen.extend(known)

    monkeypatch.setitem(workers.FUNCTIONS, "deliveries.jobs.sweep", long_job)
    monkeypatch.setattr(TableWorker, "beat_every", 0.02)
    job_queues.enqueue("deliveries.jobs.sweep")
    work(valkey)
    assert seen == [job_queues.MAINTENANCE]


def test_a_job_that_takes_turns_goes_on_behind_those_that_wait(valkey, monkeypatch):
    done = []

    def in_turns(number=0):
        done.append(number)
        return (number + 1,) if number < 2 else None

    monkeypatch.setitem(workers.FUNCTIONS, "domains.jobs.verify_domains", in_turns)
    monkeypatch.setitem(workers.FUNCTIONS, "deliveries.jobs.sweep", lambda: done.append("sweep"))
    for name in ("domains.jobs.verify_domains", "deliveries.jobs.sweep"):
        job_queues.enqueue(name)
    work(valkey)
    assert done == [0, "sweep", 1, 2]


def known_now(valkey):
    return [queue.name for worker in Worker.all(connection=valkey) for queue in worker.queues]


def rung(valkey):
    return {
        name: [job.func_name for job in job_queues.queue(name).get_jobs()]
        for name in (job_queues.DELIVERIES, job_queues.MAINTENANCE)
    }


def test_two_schedulers_ring_no_bell_twice_and_a_wiped_valkey_is_rung_anew(valkey):
    first, second = schedule.scheduler(), schedule.scheduler()
    for scheduler in (first, second):
        for job in scheduler.get_jobs():
            job.enqueue(valkey)
    once = rung(valkey)
    assert once["deliveries"] == ["deliveries.jobs.drain"]
    assert len(once["maintenance"]) == len(set(once["maintenance"])) == len(schedule.TABLE)
    valkey.flushdb()
    for job in second.get_jobs():
        job.enqueue(valkey)
    assert rung(valkey) == once


@pytest.mark.parametrize("kind", jobs(""))
def test_a_job_that_an_attacker_wrote_does_not_stop_the_bells(valkey, fuse, tmp_path, kind):
    push(valkey, 1, **jobs(fuse)[kind])
    job_queues.enqueue("deliveries.jobs.sweep", only_once=True)
    work(valkey)
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_waited_under_a_name_of_before_still_runs(valkey, monkeypatch):
    asked = []
    for name in workers.FORMER_NAMES:
        assert name not in workers.FUNCTIONS
        monkeypatch.setitem(workers.FORMER_NAMES, name, lambda number: asked.append(number))
        push(valkey, 7, data=as_json(name, 7))
        work(valkey)
    assert asked == [7] * len(workers.FORMER_NAMES) == [7, 7]
