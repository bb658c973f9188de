"""The scheduler, where the clock or Valkey changes under it."""

from datetime import UTC, datetime, timedelta

from deliveries.backends import job_queues
from deliveries.jobs import schedule


def test_after_the_clock_was_set_back_nothing_waits_longer_than_its_interval(valkey, monkeypatch):
    built = schedule.scheduler()
    for job in built.get_jobs():
        job.set_enqueue_time(datetime.now(UTC) + timedelta(hours=1))
    monkeypatch.setattr(built.pulse, "beat", lambda: -3600.0)
    built.heartbeat()
    assert all(
        job.next_enqueue_time <= datetime.now(UTC) + timedelta(seconds=job.interval)
        for job in built.get_jobs()
    )


def test_a_valkey_that_was_wiped_is_told(valkey, caplog):
    built = schedule.scheduler()
    built.heartbeat()
    built.heartbeat()
    assert "event=valkey-emptied" not in caplog.text
    valkey.flushdb()
    built.heartbeat()
    assert caplog.text.count("event=valkey-emptied") == 1


def test_the_watch_over_new_keys_goes_before_all_that_wait(valkey):
    for job in schedule.scheduler().get_jobs():
        job.enqueue(valkey)
    first = job_queues.queue(job_queues.MAINTENANCE).get_jobs()[0]
    assert first.func_name == "deliveries.jobs.watch_switched_keys"
