"""What may be done with jobs on the pages of the queues."""

import pytest

from deliveries.backends.job_queues import MAINTENANCE, queue
from deliveries.jobs import worker as workers
from domains.models import AuditEntry
from relay_portal.pages.queues import WITHOUT_USE
from tests.deliveries.jobs.attacks import as_json
from tests.relay_portal.portal.rows import SWEEP
from tests.relay_portal.portal.test_queues import INDEX, failed, url

pytestmark = pytest.mark.django_db


def test_a_failed_job_waits_again_and_the_audit_log_tells_who_did_it(operator, valkey):
    for number, path in enumerate(["requeue_job", "requeue_all"]):
        job = failed(valkey, number)
        args = (INDEX, job) if path == "requeue_job" else (INDEX,)
        assert operator.post(url(path, *args)).status_code == 302
        assert job in queue(MAINTENANCE, valkey).get_job_ids(), path
    assert (
        operator.post(
            url("actions", INDEX), {"action": "requeue", "job_ids": failed(valkey, 5)}
        ).status_code
        == 302
    )
    noted = AuditEntry.objects.order_by("id").values_list(
        "actor", "action", "object_type", "object_name", "details"
    )
    expected = {"jobs": [f"evil-0 {SWEEP}"], "number": 1}
    assert len(noted) == 3 and noted[0] == ("otto", "requeue", "queue", MAINTENANCE, expected)


@pytest.mark.parametrize("function", ["os.system", "deliveries.jobs.logging.os.system"])
def test_a_function_outside_the_table_is_not_queued_again(operator, valkey, function):
    job, fine = failed(valkey, 1, data=as_json(function, "true")), failed(valkey, 2)
    for path, data in (
        (url("requeue_job", INDEX, job), {}),
        (url("requeue_all", INDEX), {}),
        (url("actions", INDEX), {"action": "requeue", "job_ids": [job, fine]}),
    ):
        page = operator.post(path, data, follow=True)
        assert "Not queued again" in page.text and function in page.text, path
    assert queue(MAINTENANCE, valkey).get_job_ids() == [] and not AuditEntry.objects.exists()


def test_a_job_under_a_name_of_before_may_wait_again(operator, valkey):
    name = next(iter(workers.FORMER_NAMES))
    job = failed(valkey, 1, data=as_json(name, 7))
    operator.post(url("requeue_job", INDEX, job))
    assert queue(MAINTENANCE, valkey).get_job_ids() == [job]


def test_jobs_are_deleted_and_it_stands_in_the_audit_log(operator, real, valkey):
    for path, data in (
        (url("delete_job", INDEX, real["queued"].id), {}),
        (url("actions", INDEX), {"action": "delete", "job_ids": real["scheduled"].id}),
        (url("delete_failed_jobs", INDEX), {}),
        (url("clear", INDEX), {}),
    ):
        assert operator.post(path, data).status_code == 302, path
    assert [
        valkey.exists(f"rq:job:{real[name].id}")
        for name in ("queued", "scheduled", "failed", "finished")
    ] == [0, 0, 0, 1]
    assert [entry.action for entry in AuditEntry.objects.all()] == ["delete"] * 4


def test_what_runs_is_not_deleted_under_it(operator, real, valkey):
    page = operator.post(url("delete_job", INDEX, real["started"].id), follow=True)
    assert "it is running" in page.text and valkey.exists(f"rq:job:{real['started'].id}")


def test_acts_without_use_are_no_pages(operator, real):
    assert {"enqueue_job", "stop_job"} < WITHOUT_USE
    for name in ("enqueue_job", "stop_job"):
        assert operator.post(url(name, INDEX, real["finished"].id)).status_code == 404
    assert operator.get(url("scheduler_jobs", 0)).status_code == 404


def test_a_form_does_not_lead_to_another_host(operator, valkey):
    data = {"action": "delete", "job_ids": failed(valkey), "next_url": "https://evil.test/"}
    assert operator.post(url("actions", INDEX), data).headers["Location"] == "/queues/"
