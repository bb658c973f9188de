"""What people have stopped, and how it goes on: mail of it is accepted, and waits."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import IntegrityError, transaction
from django.db.models import Model, Q
from django.utils import timezone
from django.utils.translation import gettext
from redis.exceptions import RedisError

from deliveries.backends import job_queues
from deliveries.insight.tracing import site_name
from deliveries.models import Lane, Stop
from deliveries.queue.wakeups import notify_now
from domains.foundation import sql
from domains.models import Credential, Project

BATCH = 2000

# Agents put aside what a stop covers, a moment after it was taken back too. So nobody notes what
# must come out again: it is what lies there and is covered no more, found by one probe of the index
# for each (domain, project, flow) that lies there.
LET_GO = """
WITH RECURSIVE kinds AS (
    (SELECT domain, project_id, flow FROM deliveries_delivery
     WHERE ended_at IS NULL AND lane_id = 0 AND hold <> 1 ORDER BY domain, project_id, flow LIMIT 1)
    UNION ALL
    SELECT next.* FROM kinds CROSS JOIN LATERAL (
        SELECT domain, project_id, flow FROM deliveries_delivery
        WHERE ended_at IS NULL AND lane_id = 0 AND hold <> 1
          AND (domain, project_id, flow) > (kinds.domain, kinds.project_id, kinds.flow)
        ORDER BY domain, project_id, flow LIMIT 1) next
), free AS (
    SELECT * FROM kinds WHERE NOT EXISTS (
        SELECT FROM deliveries_stop stop
        WHERE stop.project_id = kinds.project_id OR stop.credential_id = kinds.flow
            OR stop.domain = kinds.domain)
), picked AS (
    SELECT found.id FROM free CROSS JOIN LATERAL (
        SELECT id FROM deliveries_delivery mail
        WHERE ended_at IS NULL AND lane_id = 0 AND hold <> 1
          AND mail.domain = free.domain AND mail.project_id = free.project_id
              AND mail.flow = free.flow
        LIMIT %(most)s FOR UPDATE SKIP LOCKED) found
    LIMIT %(most)s
)
UPDATE deliveries_delivery delivery SET lane_id = 1, claim = 0 FROM picked
    WHERE delivery.id = picked.id AND delivery.lane_id = 0
"""


class AlreadyStopped(Exception):
    """It stands still already."""


def stop(
    scope: str,
    *,
    reason: str,
    by: str,
    project: Project | None = None,
    credential: Credential | None = None,
    domain: str = "",
) -> Stop:
    """Pause mail: from now on it waits, but what is being sent at this moment is sent. Raises
    `AlreadyStopped`.
    """
    try:
        with transaction.atomic():
            made = Stop.objects.create(
                scope=scope,
                project=project,
                credential=credential,
                domain=domain,
                reason=reason,
                created_by=by,
            )
    except IntegrityError as error:
        raise AlreadyStopped from error
    transaction.on_commit(partial(notify_now, has_orders=True))
    return made


def resume(standing: Stop) -> None:
    """Remove a pause; its mail goes on, but for what another pause covers or a person holds."""
    standing.delete()
    transaction.on_commit(_go_on)


def close(lane: Lane, *, reason: str, by: str) -> None:
    """Close a lane, and those of its site and our sources; what is being sent is sent. Raises
    `AlreadyStopped`.
    """
    now = timezone.now()
    if not Lane.objects.filter(pk=lane.pk, closed_at__isnull=True).update(
        closed_at=now, closed_by=by, close_reason=reason
    ):
        raise AlreadyStopped
    Lane.objects.filter(home=lane.pk, closed_at__isnull=True).update(
        closed_at=now, closed_by=by, close_reason=reason
    )
    transaction.on_commit(partial(notify_now, has_orders=True))


def reopen(lane: Lane) -> None:
    """Open a lane at once, also where an answer closed it, whatever pause was learned before.

    Of the lanes of its site and our sources it opens those that a person closed; what an answer
    closed is that source's own.
    """
    by_a_person = Q(home=lane.pk) & ~Q(closed_by="")
    Lane.objects.filter(Q(pk=lane.pk) | by_a_person).update(
        closed_at=None, closed_by="", close_reason=""
    )
    wake(lane)


def wake(lane: Lane) -> None:
    """Let it, and those of its site and our sources, forget the pause that was learned."""
    here = Lane.objects.filter(Q(pk=lane.pk) | Q(home=lane.pk))
    here.update(paused_until=None, pause_reason="", failures=0)
    transaction.on_commit(partial(notify_now, list(here.values_list("pk", flat=True))))


def of(row: Project | Credential) -> Stop | None:
    """Return what stops just this one, or None."""
    given = {"project": row} if isinstance(row, Project) else {"credential": row}
    return Stop.objects.filter(**given).first()


def target(standing: Stop) -> Model:
    """Return the row that is stopped; the stop itself where it is about no row."""
    return standing.project or standing.credential or standing


@dataclass(frozen=True, slots=True)
class Paused:
    """Something that stands still until a person resumes it: a stop, or a closed lane (`by` is ""
    where an answer closed it).
    """

    row: Stop | Lane
    name: str
    kind: str
    at: datetime
    by: str
    reason: str


def everything() -> list[Paused]:
    """List all that is paused, the newest first."""
    standing = [
        Paused(
            each,
            str(each),
            str(each.get_scope_display()),
            each.created_at,
            each.created_by,
            each.reason,
        )
        for each in Stop.objects.select_related("project", "credential__project").defer(
            "credential__secret_hash"
        )
    ]
    for lane in Lane.objects.filter(closed_at__isnull=False).defer("pace", "experience"):
        assert lane.closed_at is not None
        standing.append(
            Paused(
                lane,
                site_name(lane),
                gettext("Lane"),
                lane.closed_at,
                lane.closed_by,
                lane.close_reason,
            )
        )
    return sorted(standing, key=lambda each: each.at, reverse=True)


def emergency() -> Stop | None:
    """Return the stop of all delivery, while it stands."""
    return Stop.objects.filter(scope=Stop.Scope.ALL).first()


def let_go(*, seconds: float) -> int:
    """Send what was put aside and is covered by no stop any more to be routed; returns how many
    deliveries that were.
    """
    until, total = time.monotonic() + seconds, 0
    while (moved := _let_go_batch()) and time.monotonic() < until:
        total += moved
    return total + moved


def _let_go_batch() -> int:
    moved = sql.run(LET_GO, {"most": BATCH})
    if moved:
        notify_now([Lane.ROUTING])
    return moved


def _go_on() -> None:
    notify_now(has_orders=True)
    if _let_go_batch() == BATCH:
        call_worker()


def call_worker() -> None:
    """Let the maintenance worker carry out what is ordered; the scheduler calls it every few
    seconds too.
    """
    with suppress(RedisError, OSError):
        job_queues.enqueue("deliveries.jobs.carry_out_orders", only_once=True)
