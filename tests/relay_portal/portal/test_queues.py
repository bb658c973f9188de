"""django-rq's pages: operators alone see them, nothing that Valkey holds runs by them, and each act
is written down.
"""

import pickle
import re

import pytest
from django.urls import reverse
from rq.job import Job

from deliveries.backends.job_queues import DELIVERIES, MAINTENANCE
from deliveries.backends.stored_jobs import ForbiddenJob
from domains.models import AuditEntry
from tests.deliveries.jobs.attacks import Bomb, as_json, jobs, push, work
from tests.relay_portal.portal.conftest import person, verified
from tests.relay_portal.portal.rows import LEARN, SWEEP

pytestmark = pytest.mark.django_db
INDEX = sorted((DELIVERIES, MAINTENANCE)).index(MAINTENANCE)
LISTS = (
    "jobs",
    "queue_details",
    "finished_jobs",
    "failed_jobs",
    "scheduled_jobs",
    "started_jobs",
    "deferred_jobs",
    "workers",
)
ACTS = ("delete_failed_jobs", "clear", "requeue_all")
ACTS_ON_ONE = ("delete_job", "requeue_job", "enqueue_job", "stop_job")


def url(name, *args):
    return reverse(f"admin:django_rq_{name}", args=args)


def failed(valkey, number=1, **facts):
    """Return a failed job as Valkey holds it."""
    push(valkey, number, **({"data": as_json(SWEEP)} | facts | {"status": "failed"}))
    valkey.lrem(f"rq:queue:{MAINTENANCE}", 0, f"evil-{number}")
    valkey.zadd(f"rq:failed:{MAINTENANCE}", {f"evil-{number}": 2**33})
    return f"evil-{number}"


SHOWS = {
    "jobs": "queued", "finished_jobs": "finished", "failed_jobs": "failed",
    "scheduled_jobs": "scheduled", "started_jobs": "started",
}  # fmt: skip


def test_each_page_shows_real_jobs(operator, real, valkey):
    for name in LISTS:
        page = operator.get(url(name, INDEX))
        assert page.status_code == 200 and "portal-error" not in page.text, name
        assert name not in SHOWS or real[SHOWS[name]].id in page.text, name
    for state in SHOWS.values():
        page = operator.get(url("job_detail", INDEX, real[state].id))
        assert page.status_code == 200 and "deliveries.jobs." in page.text, state
    assert "box-1" in operator.get(url("workers", INDEX)).text
    assert "box-1" in operator.get(url("worker_details", INDEX, "rq:worker:box-1")).text
    scheduler = operator.get(url("cron_scheduler_detail", 0, real["scheduler"])).text
    assert LEARN in scheduler and "Every 5 seconds" in scheduler
    assert operator.get(url("cron_job_detail", 0, real["scheduler"], LEARN)).status_code == 200
    failure = real["failed"].results()[0].id
    page = operator.get(url("result_detail", INDEX, real["failed"].id, failure))
    assert "RuntimeError: the disk is &lt;full&gt;" in page.text


def test_the_first_page_counts_and_says_it_in_japanese_too(operator, real):
    page = operator.get("/queues/")
    counted = next(each for each in page.context["queues"] if each["name"] == MAINTENANCE)
    assert [
        counted[f"{name}jobs"] for name in ("", "started_", "failed_", "finished_", "scheduled_")
    ] == [1] * 5
    assert real["scheduler"] in page.text and "No worker works on deliveries." in page.text
    assert "Waiting" not in operator.get("/queues/", headers={"accept-language": "ja"}).text


def test_no_page_has_a_script_that_the_content_security_policy_refuses(operator, real):
    for name in LISTS:
        assert not re.search(
            r"<script[^>]*>\s*\S",
            re.sub(r"<script[^>]*></script>", "", operator.get(url(name, INDEX)).text),
        ), name


def test_the_statistics_are_for_operators_whatever_token_is_given(
    client, operator, settings, valkey
):
    settings.RQ_API_TOKEN = "known"
    for path in (
        "/queues/stats.json",
        "/queues/stats.json/",
        "/queues/stats.json/known",
        "/queues/metrics",
        "/django_rq/stats.json",
    ):
        for each in (client, verified(person("sue" + path, operator=False))):
            answer = each.get(path, headers={"authorization": "Bearer known"})
            assert (
                answer.status_code in (301, 302, 403, 404) and "maintenance" not in answer.text
            ), path
    assert {each["name"] for each in operator.get("/queues/stats.json").json()["queues"]} == {
        DELIVERIES,
        MAINTENANCE,
    }


def test_support_staff_sees_no_page_and_does_nothing(valkey):
    support, job = verified(person("sue", operator=False)), failed(valkey)
    paths = [
        *(url(name, INDEX) for name in (*LISTS, *ACTS, "actions", "confirm_action")),
        *(url(name, INDEX, job) for name in ACTS_ON_ONE),
    ]
    for path in ("/queues/", url("job_detail", INDEX, job), *paths):
        assert support.get(path).status_code == 403, path
        assert support.post(path, {"action": "delete", "job_ids": job}).status_code == 403, path
    assert valkey.exists(f"rq:job:{job}") and not AuditEntry.objects.exists()


def posts(job):
    yield from ((url(name, INDEX), {}) for name in ACTS)
    yield from ((url(name, INDEX, job), {}) for name in ACTS_ON_ONE)
    for action in ("requeue", "stop", "delete", "explode"):
        yield url("actions", INDEX), {"action": action, "job_ids": job}
        yield url("confirm_action", INDEX), {"action": action, "_selected_action": job}


@pytest.mark.parametrize("kind", jobs(""))
def test_no_page_and_no_act_runs_what_an_attacker_wrote(operator, valkey, fuse, tmp_path, kind):
    """In all registries at once, long overdue, and as what a worker is said to be at."""
    push(valkey, 1, **jobs(fuse)[kind])
    valkey.hset(
        "rq:worker:w",
        mapping={
            "queues": MAINTENANCE,
            "current_job": "evil-1",
            "state": "busy",
            "hostname": "b",
            "pid": 1,
        },
    )
    valkey.sadd("rq:workers", "rq:worker:w")
    valkey.sadd(f"rq:workers:{MAINTENANCE}", "rq:worker:w")
    for post, data in [(None, None), *posts("evil-1")]:
        push(valkey, 1, **jobs(fuse)[kind])
        for registry in ("failed", "finished", "deferred", "scheduled"):
            valkey.zadd(
                f"rq:{registry}:{MAINTENANCE}", {"evil-1": 1 if registry == "deferred" else 2**33}
            )
        valkey.zadd(f"rq:wip:{MAINTENANCE}", {"evil-1:run": 1})
        if post:
            assert operator.post(post, data).status_code in (200, 302, 404, 405), post
            continue
        details = (
            url("job_detail", INDEX, "evil-1"),
            url("worker_details", INDEX, "rq:worker:w"),
            url("delete_job", INDEX, "evil-1"),
        )
        for path in (
            "/queues/",
            "/queues/stats.json",
            *(url(name, INDEX) for name in LISTS),
            *details,
        ):
            assert operator.get(path).status_code in (200, 404), path
    work(valkey)
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_no_text_are_a_sentence(operator, valkey):
    valkey.rpush(f"rq:queue:{MAINTENANCE}", b"\xff\xfe")
    assert "no job of this service" in operator.get("/queues/").text
    assert "no job of this service" in operator.get(url("jobs", INDEX)).text


def test_rq_unpickles_nothing_whoever_reads(valkey, tmp_path):
    """As django-rq does in places: without the serializer of the queue."""
    path = tmp_path / "it-ran"
    push(
        valkey,
        1,
        data=as_json(SWEEP),
        meta=pickle.dumps(Bomb(str(path))),
        success_callback_name="evil.run",
    )
    job = Job.fetch("evil-1", connection=valkey)
    assert (job.func_name, job.meta, job.success_callback) == (
        SWEEP,
        {},
        None,
    ) and not path.exists()
    with pytest.raises(ForbiddenJob):
        job.perform()
