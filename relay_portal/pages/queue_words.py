"""Words for django-rq's pages, whose templates are in English alone: texts of a page are looked up
here before it is sent.
"""

from __future__ import annotations

import re
from functools import cache

from django.utils.functional import Promise
from django.utils.html import conditional_escape
from django.utils.translation import override, pgettext_lazy

WORDS = (
    pgettext_lazy("queues", "(no longer available)"),
    pgettext_lazy("queues", "? This action can not be undone."),
    pgettext_lazy("queues", "Actions:"),
    pgettext_lazy("queues", "Activity"),
    pgettext_lazy("queues", "Are you sure you want to"),
    pgettext_lazy("queues", "Are you sure you want to clear the queue"),
    pgettext_lazy("queues", "Are you sure you want to delete"),
    pgettext_lazy("queues", "Are you sure?"),
    pgettext_lazy("queues", "Async"),
    pgettext_lazy("queues", "Birth"),
    pgettext_lazy("queues", "Birth:"),
    pgettext_lazy("queues", "Callable"),
    pgettext_lazy("queues", "Config file"),
    pgettext_lazy("queues", "Configuration"),
    pgettext_lazy("queues", "Connection"),
    pgettext_lazy("queues", "Created"),
    pgettext_lazy("queues", "Created:"),
    pgettext_lazy("queues", "Cron Jobs"),
    pgettext_lazy("queues", "Current Job:"),
    pgettext_lazy("queues", "DB"),
    pgettext_lazy("queues", "Default timeout"),
    pgettext_lazy("queues", "Deferred"),
    pgettext_lazy("queues", "Delete"),
    pgettext_lazy("queues", "Delete All"),
    pgettext_lazy("queues", "Deleted"),
    pgettext_lazy("queues", "Dependents"),
    pgettext_lazy("queues", "Depends on"),
    pgettext_lazy("queues", "Duration"),
    pgettext_lazy("queues", "Empty Queue"),
    pgettext_lazy("queues", "Ended"),
    pgettext_lazy("queues", "Enqueue"),
    pgettext_lazy("queues", "Enqueued"),
    pgettext_lazy("queues", "Exception"),
    pgettext_lazy("queues", "Exception:"),
    pgettext_lazy("queues", "Execute selected action"),
    pgettext_lazy("queues", "Execution ID"),
    pgettext_lazy("queues", "Failed"),
    pgettext_lazy("queues", "Failed job count:"),
    pgettext_lazy("queues", "Failure TTL"),
    pgettext_lazy("queues", "Finished"),
    pgettext_lazy("queues", "Function"),
    pgettext_lazy("queues", "Go"),
    pgettext_lazy("queues", "Host"),
    pgettext_lazy("queues", "Hostname"),
    pgettext_lazy("queues", "Inactive"),
    pgettext_lazy("queues", "Job ID"),
    pgettext_lazy("queues", "Job ID:"),
    pgettext_lazy("queues", "Job class"),
    pgettext_lazy("queues", "Jobs"),
    pgettext_lazy("queues", "Last Heartbeat"),
    pgettext_lazy("queues", "Last ended"),
    pgettext_lazy("queues", "Last heartbeat"),
    pgettext_lazy("queues", "Last started"),
    pgettext_lazy("queues", "Latest enqueue"),
    pgettext_lazy("queues", "Method"),
    pgettext_lazy("queues", "Name"),
    pgettext_lazy("queues", "Name:"),
    pgettext_lazy("queues", "Newest queued"),
    pgettext_lazy("queues", "Next enqueue"),
    pgettext_lazy("queues", "No jobs recorded for this cron job"),
    pgettext_lazy("queues", "No persisted cron jobs found"),
    pgettext_lazy("queues", "Oldest queued"),
    pgettext_lazy("queues", "PID:"),
    pgettext_lazy("queues", "Payload"),
    pgettext_lazy("queues", "Port"),
    pgettext_lazy("queues", "Process"),
    pgettext_lazy("queues", "Queue"),
    pgettext_lazy("queues", "Queue class"),
    pgettext_lazy("queues", "Queued"),
    pgettext_lazy("queues", "Queues:"),
    pgettext_lazy("queues", "Requeue"),
    pgettext_lazy("queues", "Requeue All"),
    pgettext_lazy("queues", "Result"),
    pgettext_lazy("queues", "Result ID:"),
    pgettext_lazy("queues", "Result TTL"),
    pgettext_lazy("queues", "Return Value:"),
    pgettext_lazy("queues", "Schedule"),
    pgettext_lazy("queues", "Scheduled"),
    pgettext_lazy("queues", "Scheduler"),
    pgettext_lazy("queues", "Scheduler PID"),
    pgettext_lazy("queues", "Sentinels"),
    pgettext_lazy("queues", "Serializer"),
    pgettext_lazy("queues", "Service name"),
    pgettext_lazy("queues", "Started"),
    pgettext_lazy("queues", "State"),
    pgettext_lazy("queues", "State:"),
    pgettext_lazy("queues", "Status"),
    pgettext_lazy("queues", "Stop"),
    pgettext_lazy("queues", "Successful job count:"),
    pgettext_lazy("queues", "Timeout"),
    pgettext_lazy("queues", "Timestamps"),
    pgettext_lazy("queues", "Toggle sorting"),
    pgettext_lazy("queues", "Total working time (seconds):"),
    pgettext_lazy("queues", "Trigger"),
    pgettext_lazy("queues", "Type"),
    pgettext_lazy("queues", "Type:"),
    pgettext_lazy("queues", "Unix socket"),
    pgettext_lazy("queues", "Unpickling Error"),
    pgettext_lazy("queues", "Username"),
    pgettext_lazy("queues", "View"),
    pgettext_lazy("queues", "Webhooks"),
    pgettext_lazy("queues", "Worker Info"),
    pgettext_lazy("queues", "Worker class"),
    pgettext_lazy("queues", "Worker:"),
    pgettext_lazy("queues", "Workers"),
    pgettext_lazy("queues", "Yes, I'm sure"),
    pgettext_lazy("queues", "args"),
    pgettext_lazy("queues", "busy"),
    pgettext_lazy("queues", "deferred"),
    pgettext_lazy("queues", "expired or deleted"),
    pgettext_lazy("queues", "failed"),
    pgettext_lazy("queues", "finished"),
    pgettext_lazy("queues", "from"),
    pgettext_lazy("queues", "idle"),
    pgettext_lazy("queues", "kwargs"),
    pgettext_lazy("queues", "meta"),
    pgettext_lazy("queues", "queue? This action can not be undone."),
    pgettext_lazy("queues", "queued"),
    pgettext_lazy("queues", "scheduled"),
    pgettext_lazy("queues", "started"),
    pgettext_lazy("queues", "the following jobs from"),
    # Texts with a value inside; %(state)s is a word of the above.
    pgettext_lazy("queues", "%(amount)s job"),
    pgettext_lazy("queues", "%(amount)s jobs"),
    pgettext_lazy("queues", "%(state)s %(amount)s job"),
    pgettext_lazy("queues", "%(state)s %(amount)s jobs"),
    pgettext_lazy("queues", "%(state)s Job Executions in %(name)s"),
    pgettext_lazy("queues", "%(state)s Jobs in %(name)s"),
    pgettext_lazy("queues", "%(state)s jobs in %(name)s"),
    pgettext_lazy("queues", "Are you sure you want to delete %(amount)s failed job in the"),
    pgettext_lazy("queues", "Are you sure you want to delete %(amount)s failed jobs in the"),
    pgettext_lazy("queues", "Are you sure you want to requeue %(amount)s job in the"),
    pgettext_lazy("queues", "Are you sure you want to requeue %(amount)s jobs in the"),
    pgettext_lazy("queues", "Cron Job %(name)s"),
    pgettext_lazy("queues", "Cron Scheduler %(name)s"),
    pgettext_lazy("queues", "Job %(name)s"),
    pgettext_lazy("queues", "Job Executions in %(name)s"),
    pgettext_lazy("queues", "Queue %(name)s"),
    pgettext_lazy("queues", "Result %(name)s"),
    pgettext_lazy("queues", "Workers in %(name)s"),
    pgettext_lazy("queues", "You have successfully cleared the queue %(name)s"),
    pgettext_lazy("queues", "You have successfully deleted %(amount)s jobs!"),
    pgettext_lazy("queues", "You have successfully deleted %(name)s"),
    pgettext_lazy("queues", "You have successfully requeued %(amount)s jobs!"),
    pgettext_lazy("queues", "You have successfully requeued %(name)s"),
)
SHAPES = {"amount": r"\d+", "name": r"[\w.:-]+", "state": r"[A-Z][a-z]+"}
TEXT = re.compile(r"(?<=>)[^<>]*[A-Za-z][^<>]*(?=<)")
ATTRIBUTE = re.compile(r'(?<= title=")[^"]*[A-Za-z][^"]*(?=")|(?<=type="submit" value=")[^"]+(?=")')
SILENT = re.compile(r"(<(?:script|style|pre|code)\b.*?</(?:script|style|pre|code)>)", re.DOTALL)


def translated(page: str) -> str:
    """Return the page with each text of django-rq's in the reader's language.

    Scripts and what a job wrote (`pre`) stay, and attributes that a form sends back do.
    """
    parts = SILENT.split(page)
    parts[::2] = (ATTRIBUTE.sub(_looked_up, TEXT.sub(_looked_up, part)) for part in parts[::2])
    return "".join(parts)


def in_words(text: str) -> str:
    """Return one text in the reader's language; one that is not django-rq's, as it is."""
    if known := _exact().get(text):
        return str(known)
    for shape, known in _shapes():
        if found := shape.fullmatch(text):
            return str(known) % {name: in_words(value) for name, value in found.groupdict().items()}
    return text


def _looked_up(found: re.Match[str]) -> str:
    whole = found[0]
    text, bar, site = " ".join(whole.split()).partition(" | ")  # of a title
    plain = text.replace("&#x27;", "'").replace("&rarr;", "").strip()
    said = in_words(plain)
    if said == plain:
        return whole
    before = " " if whole[:1].isspace() else ""
    after = " " if whole[-1:].isspace() else ""
    return f"{before}{conditional_escape(said)}{bar}{site}{after}"


@cache
def _exact() -> dict[str, Promise]:
    with override("en"):
        return {str(each): each for each in WORDS if "%(" not in str(each)}


@cache
def _shapes() -> list[tuple[re.Pattern[str], Promise]]:
    with override("en"):
        return [(_shape(str(each)), each) for each in WORDS if "%(" in str(each)]


def _shape(text: str) -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", text)
    named = (f"(?P<{name}>{SHAPES[name]})" for name in parts[1::2])
    fixed = (re.escape(part) for part in parts[::2])
    return re.compile("".join(f + n for f, n in zip(fixed, [*named, ""], strict=True)))
