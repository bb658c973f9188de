"""Makes suppressions: from what was learned, by the project's policy, and on the word of people
and recipients.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from domains.foundation import sql
from domains.models import ItemKind
from domains.operations.isolation import passed_over, together_or_alone
from suppressions import brakes
from suppressions.classes import MEANINGS, Class
from suppressions.models import Occurrence, OccurrenceKind, Policy, Suppression
from suppressions.one_at_a_time import wait_for_turn
from suppressions.policy import STANDARD, AddressEvent, AddressVerdict, Group, Rules, decide

logger = logging.getLogger("ekiden.mail")

BATCH = 500
LOOKED_BACK = timedelta(days=90)
REASON_MOST = 300

# An address in a project: what policies decide about.
Key = tuple[int, str]
# When the last delivery to each of these addresses ended well, for those that had one.
Deliveries = Callable[[Collection[Key]], dict[Key, datetime]]

# What a person, a complaint or an unsubscription has said is not overruled by a bounce; that one is
# only counted.
_STAYS = (
    "held.source IN ('person', 'complaint', 'unsubscribe') AND EXCLUDED.source IN ('automatic', "
    "'imported')"
)
ON_CONFLICT = f"""
ON CONFLICT (address_key, project_id, sender_domain) DO UPDATE SET
    last_seen_at = greatest(held.last_seen_at, EXCLUDED.last_seen_at),
    first_seen_at = least(held.first_seen_at, EXCLUDED.first_seen_at),
    count = held.count + CASE WHEN {_STAYS} AND held.probe_id IS NOT NULL THEN 0
        ELSE 1 END,  -- `probation` counts that one
    (source, category, is_hard, reason, evidence, until, probation_at, created_by, probe_id,
        probe_until) = (
        SELECT held.source, held.category, held.is_hard, held.reason, held.evidence, held.until,
            held.probation_at, held.created_by,
               held.probe_id, held.probe_until
        WHERE {_STAYS}
        UNION ALL
        SELECT EXCLUDED.source, EXCLUDED.category, EXCLUDED.is_hard, EXCLUDED.reason,
            EXCLUDED.evidence, EXCLUDED.until,
               EXCLUDED.probation_at, EXCLUDED.created_by, NULL, NULL
        WHERE NOT ({_STAYS}))
"""
SUPPRESS = f"""
INSERT INTO suppressions_suppression AS held
    (project_id, sender_domain, address_key, source, category, is_hard, reason, evidence,
        first_seen_at, last_seen_at, count,
     until, probation_at, created_by, created_at)
SELECT project_id, sender_domain, address_key, source, category, is_hard, reason, evidence,
    first_seen_at, last_seen_at, seen,
       until, probation_at, created_by, now()
FROM unnest(%(project_id)s::bigint[], %(sender_domain)s::text[], %(address_key)s::text[],
    %(source)s::text[], %(category)s::text[],
            %(is_hard)s::bool[], %(reason)s::text[], %(evidence)s::jsonb[],
                %(first_seen_at)s::timestamptz[],
            %(last_seen_at)s::timestamptz[], %(seen)s::int[], %(until)s::timestamptz[],
                %(probation_at)s::timestamptz[],
            %(created_by)s::text[])
    AS given(project_id, sender_domain, address_key, source, category, is_hard, reason, evidence,
        first_seen_at, last_seen_at, seen,
             until, probation_at, created_by)
ORDER BY address_key, project_id, sender_domain
{ON_CONFLICT}RETURNING id, xmax = 0
"""  # noqa: S608  (put together from constants)

UNHANDLED = f"""
SELECT id FROM suppressions_occurrence
WHERE handled_at IS NULL AND {passed_over(ItemKind.OCCURRENCE, id="suppressions_occurrence.id")}
    ORDER BY id LIMIT %(most)s
"""  # noqa: S608  (put together from constants)


@dataclass(frozen=True, slots=True)
class Given:
    """One address to be suppressed; a project of None is the whole installation."""

    project_id: int | None
    address_key: str
    source: Suppression.SuppressedBy
    reason: str
    first_seen_at: datetime
    last_seen_at: datetime
    sender_domain: str = ""
    category: str = ""
    is_hard: bool = False
    evidence: dict[str, Any] = field(default_factory=dict)
    seen: int = 1
    until: datetime | None = None
    probation_at: datetime | None = None
    created_by: str = ""


def suppress(given: Sequence[Given]) -> tuple[int, int]:
    """Make or renew them, each address once; returns how many were made and how many were known."""
    if not given:
        return 0, 0
    made = [is_new for _, is_new in sql.rows(SUPPRESS, _columns(given))]
    return sum(made), len(made) - sum(made)


def _columns(given: Sequence[Given]) -> dict[str, list[Any]]:
    names = [name for name in Given.__slots__ if name != "evidence"]
    return {name: [getattr(each, name) for each in given] for name in names} | {
        "evidence": [json.dumps(each.evidence) for each in given]
    }


def take_turn(deliveries: Deliveries, *, now: datetime) -> int:
    """Look at what was learned since the last turn; returns how many addresses were suppressed or
    seen again.
    """
    total = 0
    while True:
        ids = sql.column(UNHANDLED, {"most": BATCH})
        if not ids:
            return total
        brakes.look(now=now)
        total += sum(
            together_or_alone(
                ItemKind.OCCURRENCE, ids, partial(_take, deliveries=deliveries, now=now)
            )
        )
        if len(ids) < BATCH:
            return total


def _take(ids: Sequence[int], *, deliveries: Deliveries, now: datetime) -> int:
    """Judge these occurrences, but for those that another process has locked; return how many
    suppressions came of it.
    """
    wait_for_turn()
    mine = Occurrence.objects.select_for_update(skip_locked=True).filter(
        pk__in=ids, handled_at__isnull=True
    )
    locked = list(mine.order_by("pk"))
    braked = brakes.standing()
    held = [each.pk for each in locked if brakes.is_under(each, braked)]
    brakes.hold(held, now=now)
    given = judge(
        [each for each in locked if not each.is_void and each.pk not in held], deliveries, now=now
    )
    suppress(given)
    Occurrence.objects.filter(pk__in=[each.pk for each in locked]).update(handled_at=now)
    for each in given:
        logger.info(
            "event=suppressed project=%s to=<%s> source=%s class=%s reason=%r",
            each.project_id, each.address_key, each.source, each.category or "-", each.reason,
        )  # fmt: skip
    return len(given)


def judge(fresh: Iterable[Occurrence], deliveries: Deliveries, *, now: datetime) -> list[Given]:
    """Judge the addresses of these occurrences by the policies and all that is known about them."""
    keys = {(each.project_id, each.address_key) for each in fresh}
    rules = policies({project for project, _ in keys})
    delivered = deliveries(keys)
    found = []
    for key, known in _histories(keys, now=now).items():
        events = {occurrence.pk: event_of(occurrence) for occurrence in known}
        verdict = decide(events.values(), rules[key[0]], now=now, delivered_at=delivered.get(key))
        if verdict is not None:
            decisive = next(
                occurrence for occurrence in known if events[occurrence.pk] is verdict.decisive
            )
            found.append(_given(decisive, verdict))
    return found


def policies(projects: Collection[int]) -> dict[int, Rules]:
    """Return the rules of each project; those without a row have the standard."""
    own = {row.project_id: row.rules for row in Policy.objects.filter(project__in=projects)}
    return {project: own.get(project, STANDARD) for project in projects}


def _histories(keys: Collection[Key], *, now: datetime) -> dict[Key, list[Occurrence]]:
    """Collect all that counts about these addresses, in order of time."""
    known: dict[Key, list[Occurrence]] = defaultdict(list)
    about = Occurrence.objects.filter(
        address_key__in={key for _, key in keys},
        project__in={project for project, _ in keys},
        at__gt=now - LOOKED_BACK,
        is_void=False,
    )
    for occurrence in about.order_by("at"):
        if (key := (occurrence.project_id, occurrence.address_key)) in keys:
            known[key].append(occurrence)
    return known


def event_of(occurrence: Occurrence) -> AddressEvent:
    is_unsubscription = occurrence.kind == OccurrenceKind.UNSUBSCRIBE
    return AddressEvent(
        occurrence.at,
        Class(occurrence.category or Class.OTHER),
        occurrence.is_hard,
        is_unsubscription,
    )


SOURCES = {
    Group.COMPLAINT: Suppression.SuppressedBy.COMPLAINT,
    Group.UNSUBSCRIBE: Suppression.SuppressedBy.UNSUBSCRIBE,
}


def _given(decisive: Occurrence, verdict: AddressVerdict) -> Given:
    return Given(
        project_id=decisive.project_id,
        address_key=decisive.address_key,
        source=SOURCES.get(verdict.group, Suppression.SuppressedBy.AUTOMATIC),
        reason=_reason(decisive),
        first_seen_at=verdict.first_at,
        last_seen_at=decisive.at,
        category=decisive.category,
        is_hard=decisive.is_hard,
        evidence=evidence_of(decisive),
        seen=verdict.count,
        until=verdict.until,
        probation_at=verdict.probation_at,
    )


def evidence_of(occurrence: Occurrence) -> dict[str, Any]:
    """Return what was said, as the suppression keeps it when the occurrence is gone."""
    names = ("kind", "stage", "host", "code", "enhanced", "text", "rule", "provider")
    said = {name: getattr(occurrence, name) for name in names if getattr(occurrence, name)}
    ids = {"delivery": occurrence.delivery_id, "inbound": occurrence.inbound_id}
    return said | {name: str(id_) for name, id_ in ids.items() if id_}


def _reason(occurrence: Occurrence) -> str:
    """Write the reason in English and on one line: apps read it in the reply to RCPT."""
    if occurrence.kind == OccurrenceKind.UNSUBSCRIBE:
        return "Unsubscribed by the recipient"
    said = " ".join(
        filter(None, (str(occurrence.code or ""), occurrence.enhanced, occurrence.text))
    )
    title = MEANINGS[Class(occurrence.category)].title
    return " ".join(f"{title}: {said}".split())[:REASON_MOST] if said else title
