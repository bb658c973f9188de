"""Leads answers of the class `authentication` back to the domain that the mail was from.

Read behind the workers, in the order of their ids: the path of mail writes nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import F

from deliveries.authentication.mechanisms import mechanism
from domains.foundation import sql
from domains.foundation.text import texts
from domains.models import AuthenticationRefusal, Domain, ReadPosition

NAME = "authentication refusals"
BATCH = 100_000  # attempts that one turn looks over
EXAMPLE = 500  # characters

NEWEST = "SELECT coalesce(max(id), 0) FROM deliveries_attempt"
# A row with a smaller id may still be on its way into the table for as long as its statement runs.
STRETCH = """
SELECT max(id), min(id) FILTER (WHERE at > now() - interval '1 minute')
FROM (SELECT id, at FROM deliveries_attempt WHERE id > %(after)s ORDER BY id LIMIT %(most)s) AS next
"""
# What has expired repeats the answer that it waited for.
ANSWERS = """
SELECT attempt.at, attempt.code, attempt.enhanced, attempt.text, delivery.domain, lane.provider,
    message.header_from
FROM deliveries_attempt attempt
JOIN deliveries_delivery delivery ON delivery.id = attempt.delivery_id
JOIN deliveries_message message ON message.id = delivery.message_id
JOIN deliveries_lane lane ON lane.id = delivery.lane_id
WHERE attempt.id > %(after)s AND attempt.id <= %(until)s AND attempt.category = 'authentication'
    AND attempt.stage <> 'expiry'
ORDER BY attempt.id
"""

Key = tuple[int, datetime, str, str]


@transaction.atomic
def collect() -> int:
    """Return how many attempts were looked over; nothing is counted twice."""
    position = ReadPosition.objects.select_for_update().filter(name=NAME).first()
    if position is None:
        ReadPosition.objects.create(name=NAME, value=_number(NEWEST, {}))
        return 0
    until = _until(position.value)
    if until <= position.value:
        return 0
    for at, receiver, how, domain, example in _answers(position.value, until):
        _count(domain, at, receiver, how, example)
    seen = until - position.value
    position.value = until
    position.save(update_fields=["value"])
    return seen


def _until(after: int) -> int:
    [(newest, first_young)] = sql.rows(STRETCH, {"after": after, "most": BATCH})
    return first_young - 1 if first_young is not None else newest or after


def _answers(after: int, until: int) -> Iterator[tuple[datetime, str, str, Domain, str]]:
    known: dict[str, Domain | None] = {}
    rows = sql.rows(ANSWERS, {"after": after, "until": until})
    for at, code, enhanced, text, recipient_domain, provider, header_from in rows:
        name = header_from.rpartition("@")[2].strip("<> ").lower()
        if name not in known:
            known[name] = domain_of(name)
        if (domain := known[name]) is None:
            continue
        receiver = recipient_domain if provider in ("", "default") else provider
        example = " ".join(filter(None, (str(code or ""), enhanced, text)))
        yield (
            at, receiver[:253], mechanism(provider, enhanced, text), domain,
            texts.one_line(example, EXAMPLE),
        )  # fmt: skip


def domain_of(name: str) -> Domain | None:
    """Return the verified domain that mail with this From domain is sent under."""
    labels = name.split(".")
    names = [".".join(labels[start:]) for start in range(len(labels) - 1)][:10]
    found = {each.name: each for each in Domain.objects.verified().filter(name__in=names)}
    return next((found[each] for each in names if each in found), None)


def _count(domain: Domain, at: datetime, receiver: str, how: str, example: str) -> None:
    row, _is_new = AuthenticationRefusal.objects.get_or_create(
        domain=domain, day=at.astimezone(UTC).date(), receiver=receiver, mechanism=how,
        defaults={"last_at": at},
    )  # fmt: skip
    AuthenticationRefusal.objects.filter(pk=row.pk).update(
        amount=F("amount") + 1, last_at=at, example=example
    )


def _number(statement: str, given: dict[str, int]) -> int:
    return int(sql.value(statement, given))
