"""Holds the rules for tenants against their figures; acts where a rule is live, and undoes it."""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from deliveries.models import EgressRule, Stop, TenantCase, TenantMeasure, TenantRule
from deliveries.queue.wakeups import notify_now
from deliveries.steering import pauses
from domains.foundation import sql
from domains.models import ItemKind, Project
from domains.operations import audit
from domains.operations.isolation import isolated

logger = logging.getLogger("ekiden.mail")

ACTOR = "rule for tenants"
# It ends below four fifths of the threshold, so that a rate that hovers around it changes nothing
# back and forth.
ENDS_BELOW = 0.8
FIRST = 0  # position of the egress rules that are set here: before those of people

OF_ALL = """
SELECT project_id,
    coalesce(sum(amount) FILTER (WHERE category NOT IN ('suppressed', 'complaint')), 0),
    coalesce(sum(amount) FILTER (WHERE is_hard), 0),
    coalesce(sum(amount) FILTER (WHERE category = 'complaint'), 0)
FROM deliveries_tally WHERE hour > %(now)s - make_interval(hours => %(hours)s) GROUP BY project_id
"""
BY_SOURCE = """
SELECT project_id, source,
    coalesce(sum(amount) FILTER (WHERE event IN ('accepted', 'refused')), 0),
    coalesce(sum(amount) FILTER (WHERE event = 'refused'), 0),
    coalesce(sum(amount) FILTER (WHERE event = 'complaint'), 0)
FROM deliveries_sourcecount WHERE hour > %(now)s - make_interval(hours => %(hours)s)
    AND (%(source)s = '' OR source = %(source)s)
GROUP BY project_id, source ORDER BY project_id, source
"""


@dataclass(frozen=True, slots=True)
class TenantFigures:
    """What became of a project's deliveries that have ended."""

    total: int = 0
    errors: int = 0
    complaints: int = 0

    def amount(self, measure: str) -> int:
        return self.errors if measure == TenantMeasure.ERRORS else self.complaints

    def rate(self, measure: str) -> float:
        """Return the rate of a measure, in per cent."""
        return 100 * self.amount(measure) / self.total if self.total > 0 else 0.0


def figures(*, source: str, hours: int, now: datetime) -> dict[int, TenantFigures]:
    """Return the figures of each project, of one source or of all its mail."""
    if source:
        found = by_source(hours=hours, now=now, source=source)
        return {project: each for (project, _), each in found.items()}
    of_all = sql.rows(OF_ALL, {"now": now, "hours": hours})
    return {project: TenantFigures(*map(int, amounts)) for project, *amounts in of_all}


def by_source(
    *, hours: int, now: datetime, source: str = ""
) -> dict[tuple[int, str], TenantFigures]:
    """Return the figures of each project and source."""
    found = sql.rows(BY_SOURCE, {"now": now, "hours": hours, "source": source})
    return {row[:2]: TenantFigures(*map(int, row[2:])) for row in found}


def check(*, now: datetime) -> None:
    """Hold every rule against every project."""
    for rule in TenantRule.objects.all():
        with isolated(ItemKind.STEP, f"rule for tenants {rule}", lasting=False):
            if (locked := _locked(rule)) is not None:
                _check(locked, now=now)


def _locked(rule: TenantRule) -> TenantRule | None:
    """Return the rule as it is now, for one worker at a time: of two each would set an egress
    rule, and nobody take back the first.
    """
    rules = TenantRule.objects.select_for_update(of=("self",)).select_related("pool")
    return rules.filter(pk=rule.pk).first()


def _check(rule: TenantRule, *, now: datetime) -> None:
    found = figures(source=rule.source, hours=rule.hours, now=now)
    cases = {case.project_id: case for case in rule.cases.filter(ended_at__isnull=True)}
    projects = Project.objects.filter(pk__in={*found, *cases})
    if rule.project_id is not None:
        projects = projects.filter(pk__in={rule.project_id, *cases})
    for project in projects.order_by("pk"):
        each, case = found.get(project.pk, TenantFigures()), cases.get(project.pk)
        is_meant = rule.project_id in (None, project.pk)
        if case is None and is_bad(rule, each):
            case = _open(rule, project, each)
        elif case is not None and (not is_meant or is_good_again(rule, each)):
            end(case, now=now, reason=_said(rule, each))
            continue
        if case is not None and rule.is_live and not case.has_acted:
            _act(case, _said(rule, each))
        elif case is not None and not rule.is_live and case.has_acted:
            _take_back(case, "The rule is not live any more.")


def is_bad(rule: TenantRule, each: TenantFigures) -> bool:
    return each.total >= rule.least and each.rate(rule.measure) >= rule.threshold


def is_good_again(rule: TenantRule, each: TenantFigures) -> bool:
    return each.total < rule.least or each.rate(rule.measure) < rule.threshold * ENDS_BELOW


def _said(rule: TenantRule, each: TenantFigures) -> str:
    of = f" by {rule.source}" if rule.source else ""
    return (
        f"{each.amount(rule.measure)} {rule.measure} of {each.total} deliveries{of} within "
        f"{rule.hours} hours ({each.rate(rule.measure):.2f} %)"
    )


def _open(rule: TenantRule, project: Project, each: TenantFigures) -> TenantCase:
    case = TenantCase.objects.create(
        rule=rule, project=project, rate=each.rate(rule.measure),
        amount=each.amount(rule.measure), total=each.total,
    )  # fmt: skip
    said = _said(rule, each)
    would = "" if rule.is_live else " The rule is a dry run: nothing is done."
    logger.warning("event=tenant rule=%s project=%s said=%r", rule, project.pk, said)
    audit.note(ACTOR, "alert", project, reason=f"{rule}: {said}.{would}")
    return case


def _act(case: TenantCase, said: str) -> None:
    rule, project = case.rule, case.project
    if rule.action == TenantRule.Action.PAUSE:
        with suppress(pauses.AlreadyStopped):
            pauses.stop(Stop.Scope.PROJECT, reason=f"{rule}: {said}", by=ACTOR, project=project)
    elif rule.action == TenantRule.Action.POOL and rule.pool is not None:
        case.egress_rule = EgressRule.objects.create(
            position=FIRST, project=project, pool=rule.pool
        )
    case.per_minute, case.has_acted = rule.per_minute, True
    case.save(update_fields=["per_minute", "egress_rule", "has_acted"])
    audit.note(ACTOR, "apply", project, reason=f"{rule}: {rule.deed}. {said}")
    transaction.on_commit(lambda: notify_now(has_orders=True))


@transaction.atomic
def end(case: TenantCase, *, now: datetime, reason: str) -> None:
    """Close the case and take back what it has set. A pause is left: only a person resumes."""
    has_acted = case.has_acted
    _take_back(case, reason)
    case.ended_at, case.has_acted = now, has_acted
    case.save(update_fields=["ended_at", "has_acted"])


@transaction.atomic
def change(rule: TenantRule, columns: Collection[str]) -> None:
    """Write these columns of a rule. Where it does something else than before, what it has set is
    taken back, and the next check does the other thing where the rule still applies.
    """
    before = _locked(rule)
    rule.save(update_fields=columns)
    rule.refresh_from_db()
    if before is not None and before.deed != rule.deed:
        for case in before.cases.filter(ended_at__isnull=True):
            _take_back(case, "The rule was changed")


@transaction.atomic
def remove(rule: TenantRule, *, now: datetime) -> None:
    """Remove a rule, and take back what it has set."""
    _locked(rule)
    for case in rule.cases.filter(ended_at__isnull=True):
        end(case, now=now, reason="The rule is removed.")
    rule.delete()


def _take_back(case: TenantCase, reason: str) -> None:
    if not case.has_acted:
        return
    if case.egress_rule is not None:
        case.egress_rule.delete()
    case.per_minute, case.egress_rule, case.has_acted = None, None, False
    case.save(update_fields=["per_minute", "egress_rule", "has_acted"])
    is_pause = case.rule.action == TenantRule.Action.PAUSE
    then = "It stays paused until a person resumes it." if is_pause else "Taken back."
    audit.note(ACTOR, "apply", case.project, reason=f"{case.rule}: {reason}. {then}")
    transaction.on_commit(lambda: notify_now(has_orders=True))
