"""django-rq's pages for operators: what Valkey holds of the jobs, and the acts on them.

Its templates are its own, in English, but for the first page; `queue_words` translates what they
made. What it cannot show is a sentence here, never a failure of the portal.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django_rq import stats_views
from django_rq.queues import get_queue_by_index
from django_rq.urls import get_admin_urlpatterns
from redis.exceptions import RedisError
from rq import Queue
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry

from deliveries.jobs.worker import function_of
from domains.foundation import rights
from domains.models import AuditEntry
from domains.operations.pages import client_address
from relay_portal.pages import queue_words

logger = logging.getLogger(__name__)
View = Callable[..., HttpResponse]

PAGE, REQUEUE = "queues", "requeue"
PREFIX = "django_rq_"  # of the names that its templates look for
# What a POST to a view of django-rq does. One of both kinds says it in its form.
ACTS = {
    "delete_job": rights.DELETE,
    "delete_failed_jobs": rights.DELETE,
    "clear_queue": rights.DELETE,
    "requeue_job_view": REQUEUE,
    "requeue_all": REQUEUE,
}
OF_FORM = {"delete": rights.DELETE, "requeue": REQUEUE}
# No job of ours is deferred, a drain that is stopped midway would leave mail in doubt, and
# rq-scheduler is not installed.
WITHOUT_USE = frozenset({"enqueue_job", "stop_job", "scheduler_jobs"})
# The Content-Security-Policy refuses them, and what they do the links in the same row do. Data in
# a page is escaped.
INLINE_HANDLER = re.compile(rb' onclick="[^"]*"')
NOTED_MOST = 100  # jobs that an entry of the audit log names


def urls(admin_view: Callable[[View], View]) -> list[URLPattern]:
    """Return django-rq's paths, each behind the table of rights and this site's own check."""
    return [
        path("", admin_view(guarded(stats_views.stats)), name=PAGE),
        path("stats.json", admin_view(guarded(stats_views.stats_json)), name=f"{PREFIX}home_json"),
        *get_admin_urlpatterns(PREFIX, lambda view: admin_view(guarded(view))),
    ]


def guarded(view: View) -> View:
    """Return the view for operators, who may do with it what the table of rights says.

    Each act stands in the audit log.
    """
    name = view.__name__

    @wraps(view)
    def page(request: HttpRequest, *args: Any, **which: Any) -> HttpResponse:
        if not rights.may(request.user, rights.SEE, PAGE):
            raise PermissionDenied
        if name in WITHOUT_USE:
            raise Http404
        request.current_app = admin.site.name  # by which its templates find its paths
        if request.method in ("GET", "HEAD") or name == "confirm_action":
            return _within(request, lambda: view(request, *args, **which))
        act = OF_FORM.get(request.POST.get("action", "")) if name == "actions" else ACTS.get(name)
        if act is None or request.method != "POST":
            return HttpResponseNotAllowed(["GET"])
        if not rights.may(request.user, act, PAGE):
            raise PermissionDenied
        return _within(request, lambda: _act(request, view, act, **which))

    return page


def _within(request: HttpRequest, answer: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        answered = answer()
    except (Http404, PermissionDenied):
        raise
    except (NoSuchJobError, IndexError) as error:
        raise Http404 from error
    except RedisError:
        return render(
            request, "django_rq/stats.html", {**admin.site.each_context(request), "is_down": True}
        )
    except Exception:  # hostile bytes in Valkey: whatever they make django-rq raise
        logger.exception("Valkey holds what django-rq cannot show: %s", request.path)
        return render(
            request,
            "django_rq/stats.html",
            {**admin.site.each_context(request), "is_unreadable": True},
        )
    if "text/html" in answered.headers.get("Content-Type", ""):
        page = INLINE_HANDLER.sub(b"", answered.content).decode("utf-8")
        answered.content = queue_words.translated(page)
    target = answered.headers.get("Location", "/")  # it trusts the form and the Referer
    return (
        answered
        if url_has_allowed_host_and_scheme(target, request.get_host())
        else redirect(f"admin:{PAGE}")
    )


def _act(
    request: HttpRequest, view: View, act: str, *, queue_index: int, job_id: str = ""
) -> HttpResponse:
    queue = get_queue_by_index(queue_index)
    jobs = _concerned(request, view.__name__, queue, job_id)
    unfit = [job for job in jobs if not _is_fit(job, act)]
    if unfit:
        messages.error(
            request, _why_not(act) % {"jobs": ", ".join(_label(job) for job in unfit[:5])}
        )
        return redirect(f"admin:{PREFIX}failed_jobs", queue_index)
    with transaction.atomic():
        AuditEntry.objects.create(
            actor=request.user.get_username(),
            client_address=client_address(request),
            action=act,
            object_type="queue",
            object_id=queue.name,
            object_name=queue.name,
            details={"jobs": [_label(job) for job in jobs[:NOTED_MOST]], "number": len(jobs)},
        )
        return view(request, queue_index=queue_index, **({"job_id": job_id} if job_id else {}))


def _concerned(request: HttpRequest, name: str, queue: Queue, job_id: str) -> list[Job]:
    """Return the jobs that an act is about, as far as they are there."""
    match name:
        case "actions":
            ids = request.POST.getlist("job_ids")
        case "clear_queue":
            ids = queue.get_job_ids()
        case "delete_failed_jobs" | "requeue_all":
            ids = FailedJobRegistry(queue=queue).get_job_ids(cleanup=False)
        case _:
            ids = [job_id]
    found = Job.fetch_many(ids, connection=queue.connection, serializer=queue.serializer)
    jobs = [job for job in found if job is not None]
    if not jobs and name not in ("clear_queue", "delete_failed_jobs", "requeue_all"):
        raise Http404
    return jobs


def _is_fit(job: Job, act: str) -> bool:
    """Return whether a failed job may wait again, and a job that does not run be deleted.

    What no worker would run is not queued by us.
    """
    status = job.get_status(refresh=False)
    if act == rights.DELETE:
        return bool(status != JobStatus.STARTED)
    try:
        return status == JobStatus.FAILED and function_of(job) is not None
    except DeserializationError:
        return False


def _why_not(act: str) -> str:
    if act == rights.DELETE:
        return _("Not deleted, since it is running: %(jobs)s")
    return _(
        "Not queued again, since it has not failed or is no function of this service: %(jobs)s"
    )


def _label(job: Job) -> str:
    try:
        return f"{job.id} {str(job.func_name)[:100]}"
    except DeserializationError:
        return f"{job.id} ?"
