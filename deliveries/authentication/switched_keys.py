"""Watches what receivers answer to mail that a new key signs: where they refuse it for its
authentication well above the week before, the key before it signs again.

It reads the newest attempts and only while a switch is watched; one that comes too late to be read
is missed, since the next ones say the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Sum

from deliveries.authentication.mechanisms import mechanism
from deliveries.authentication.refusals import NEWEST, domain_of
from deliveries.message.ids import first_id_of
from domains.foundation import sql
from domains.models import (
    AuthenticationRefusal,
    DomainAlertKind,
    ItemKind,
    ReadPosition,
    SigningKey,
)
from domains.operations.isolation import isolated
from domains.senders import key_states

logger = logging.getLogger(__name__)

NAME = "switched keys"
WATCHED = timedelta(days=7)  # after a switch; the key before has to be in DNS as long
BATCH = 100_000  # attempts that one turn looks over
LEAST, TIMES = 5, 3
# What no key has a part in.
NOT_OF_KEYS = ("spf", "arc")

NEXT = (
    "SELECT max(id) FROM (SELECT id FROM deliveries_attempt WHERE id > %s ORDER BY id LIMIT %s) n"
)
ANSWERS = """
SELECT message.id, message.header_from, lane.provider, attempt.enhanced, attempt.text
FROM deliveries_attempt attempt
JOIN deliveries_delivery delivery ON delivery.id = attempt.delivery_id
JOIN deliveries_message message ON message.id = delivery.message_id
JOIN deliveries_lane lane ON lane.id = delivery.lane_id
WHERE attempt.id > %(after)s AND attempt.id <= %(until)s AND attempt.category = 'authentication'
    AND attempt.stage <> 'expiry' AND message.id >= %(oldest)s
"""


def is_well_above(count: int, worst_day: int) -> bool:
    """Tell if answers since a switch are more than chance, beside those of the worst day of the
    week before it.
    """
    return count >= LEAST and count > TIMES * worst_day


def take_turn(*, now: datetime) -> int:
    """Return how many keys were replaced by those before them."""
    keys = list(SigningKey.objects.switched_since(now - WATCHED).select_related("domain"))
    if not keys:
        ReadPosition.objects.filter(name=NAME).delete()
        return 0
    _count(keys)
    gone_back = 0
    for key in SigningKey.objects.filter(pk__in=[key.pk for key in keys], refusals__gte=LEAST):
        with isolated(ItemKind.DOMAIN, key.domain_id):
            gone_back += _judge(key, now=now)
    return gone_back


def _judge(key: SigningKey, *, now: datetime) -> bool:
    worst = worst_day_before(key)
    if not is_well_above(key.refusals, worst):
        return False
    given = {"count": str(key.refusals), "before": str(worst)}
    before = key_states.go_back(key, DomainAlertKind.KEY_REFUSED, given, now=now)
    return before is not None


def worst_day_before(key: SigningKey) -> int:
    """Return the most answers of one day in the week before the key began to sign."""
    assert key.signs_since is not None
    day = key.signs_since.astimezone(UTC).date()
    rows = AuthenticationRefusal.objects.filter(
        domain=key.domain_id, day__gte=day - timedelta(days=7), day__lt=day
    ).exclude(mechanism__in=NOT_OF_KEYS)
    sums = rows.values("day").annotate(total=Sum("amount")).values_list("total", flat=True)
    return max(sums, default=0)


@transaction.atomic
def _count(keys: Sequence[SigningKey]) -> None:
    """Count the answers since the last turn to what each of these keys has signed."""
    position = ReadPosition.objects.select_for_update().filter(name=NAME).first()
    if position is None:
        ReadPosition.objects.create(name=NAME, value=_number(NEWEST))
        return
    until = _number(NEXT, position.value, BATCH)
    if until <= position.value:
        return
    oldest = min(first_id_of(key.signs_since) for key in keys if key.signs_since is not None)
    given: dict[str, Any] = {"after": position.value, "until": until, "oldest": oldest}
    rows = sql.rows(ANSWERS, given)
    for key, amount in _by_key(keys, rows).items():
        SigningKey.objects.filter(pk=key).update(refusals=F("refusals") + amount)
    position.value = until
    position.save(update_fields=["value"])


def _by_key(
    keys: Sequence[SigningKey], rows: Iterable[tuple[UUID, str, str, str, str]]
) -> dict[int, int]:
    found: dict[int, int] = {}
    domains: dict[str, int] = {}
    for message, header_from, provider, enhanced, text in rows:
        if mechanism(provider, enhanced, text) in NOT_OF_KEYS:
            continue
        name = header_from.rpartition("@")[2].strip("<> ").lower()
        if name not in domains:
            domain = domain_of(name)
            domains[name] = domain.pk if domain is not None else 0
        for key in keys:
            if key.domain_id == domains[name] and message >= first_id_of(_since(key)):
                found[key.pk] = found.get(key.pk, 0) + 1
    return found


def _since(key: SigningKey) -> datetime:
    assert key.signs_since is not None  # `switched_since` found it by that
    return key.signs_since


def _number(statement: str, *given: int) -> int:
    return int(sql.value(statement, given) or 0)
