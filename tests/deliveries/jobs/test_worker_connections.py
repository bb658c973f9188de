"""A worker outlives PostgreSQL: its jobs run again once that is back."""

import pytest
from django.db import connection

from deliveries.backends import job_queues
from deliveries.jobs.worker import TableWorker


@pytest.mark.usefixtures("mail_db")
def test_a_job_runs_after_postgresql_has_ended_the_workers_connection(valkey, caplog):
    worker = TableWorker([job_queues.MAINTENANCE], connection=valkey)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [own] = cursor.fetchone()
    end_session(own)
    for _ in range(2):  # the first may meet the dead connection
        job_queues.enqueue("deliveries.jobs.sweep")
        worker.work(burst=True)
    assert connection.is_usable()
    assert "Traceback" not in caplog.text  # an outage is one line for each ring


def end_session(pid):
    import psycopg

    from deliveries.backends.database import parameters

    with psycopg.connect(**parameters(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
