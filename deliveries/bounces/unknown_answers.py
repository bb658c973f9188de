"""Counts the answers of the last 30 days that no rule understood, by form, receiver and stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min

from deliveries.classification.answer_forms import form_of, pattern_of
from deliveries.classification.dialects import provider_of
from deliveries.classification.local_rules import LocalRules, ParsedLocalRule
from deliveries.classification.rules import normal
from deliveries.smtp.outcomes import SCOPES, Stage
from suppressions.models import Occurrence

DAYS = timedelta(days=30)
ROWS_MOST = 20_000  # distinct answers that are looked at: the most frequent ones
FORMS_MOST = 200


@dataclass(frozen=True, slots=True)
class UnknownAnswer:
    """`receiver` is the provider's name, else the domain; `example` is one answer as it came."""

    form: str
    receiver: str
    provider: str
    stage: str
    code: int
    amount: int
    since: datetime
    category: str
    is_hard: bool
    example: str

    @property
    def pattern(self) -> str:
        return pattern_of(self.form)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a rule would change: so many answers of this form that mean `category` today."""

    category: str
    is_hard: bool
    form: str
    amount: int


def collect(*, now: datetime) -> list[UnknownAnswer]:
    """Return the most frequent first, at most `FORMS_MOST`."""
    found: dict[tuple[str, str, str, int], UnknownAnswer] = {}
    unknown = _answers(now).filter(rule__startswith="code/", code__isnull=False).exclude(text="")
    columns = ("text", "stage", "code", "host", "address_key", "category", "is_hard")
    rows = (
        unknown.values_list(*columns)
        .annotate(amount=Count("id"), first=Min("at"))
        .order_by("-amount")[:ROWS_MOST]
    )
    for text, stage, code, host, key, category, is_hard, amount, first in rows:
        domain = key.rpartition("@")[2]
        provider = provider_of(host, domain)
        receiver = domain if provider == "default" else provider
        name = (form_of(text), receiver, stage, code)
        known = found.get(name)
        found[name] = UnknownAnswer(
            name[0],
            receiver,
            provider,
            stage,
            code,
            amount + (known.amount if known else 0),
            min(first, known.since) if known else first,
            category,
            is_hard,
            known.example if known else f"{code} {text}",
        )
    return sorted(found.values(), key=lambda each: (-each.amount, each.form))[:FORMS_MOST]


def effects(rule: ParsedLocalRule, *, now: datetime) -> list[Effect]:
    """Return what this rule would change among the stored answers, the most frequent first.

    Raises `ValueError` for a rule that is none.
    """
    rules = LocalRules([rule])
    amounts: Counter[tuple[str, bool, str]] = Counter()
    columns = ("text", "stage", "code", "host", "category", "is_hard", "address_key")
    rows = (
        _answers(now)
        .exclude(text="")
        .values_list(*columns)
        .annotate(amount=Count("id"))
        .order_by("-amount")[:ROWS_MOST]
    )
    for text, stage, code, host, category, is_hard, key, amount in rows:
        provider = provider_of(host, key.rpartition("@")[2])
        at = Stage(stage) if stage in SCOPES else None
        changes = (category, is_hard) != (str(rule.class_), rule.is_hard)
        if (
            changes
            and rules.find(normal(text), provider=provider, stage=at, code=code or 0) is not None
        ):
            amounts[category, is_hard, form_of(text)] += amount
    return [Effect(*name, amount) for name, amount in amounts.most_common()]


def exported(found: list[UnknownAnswer]) -> Iterator[str]:
    """Yield the lines of a file without anybody's data, in the form of `samples/replies.tsv`.

    The class is left open: who contributes says what the answer means.
    """
    yield "class\thard\tstage\thost\treply\tamount"
    for each in found:
        host = each.provider if each.provider != "default" else ""
        yield f"?\t\t{each.stage}\t{host}\t{each.code} {each.form}\t{each.amount}"


# a queryset whose values are named where they are used
def _answers(now: datetime):  # type: ignore[no-untyped-def]
    return Occurrence.objects.filter(
        at__gt=now - DAYS, kind__in=("reply", "report", "expiry")
    ).order_by()
