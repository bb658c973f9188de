"""Adds up, by domain and day, what the sample of mail that leaves shows: which of it is bulk and
unsubscribes with one click, and how much of it was handed over by TLS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from django.db import transaction
from django.db.models import F

from deliveries.message.headers import parse, split
from domains.foundation import sql
from domains.models import Domain, SampledDay, SignatureCheck

AFTER = timedelta(hours=1)  # most deliveries have ended by then
FORGET = timedelta(days=2)
MOST = 500  # messages of one turn
BULK_FIELDS = frozenset({b"list-id", b"list-unsubscribe", b"list-unsubscribe-post"})
BULK = re.compile(rb"^precedence:\s*(bulk|list)\b", re.IGNORECASE)
POST = re.compile(rb"^list-unsubscribe-post:\s*List-Unsubscribe=One-Click\s*$", re.IGNORECASE)
HTTPS = re.compile(rb"^list-unsubscribe:.*<https://", re.IGNORECASE | re.DOTALL)

TRANSPORT = """
SELECT checked.domain_id, (checked.checked_at AT TIME ZONE 'UTC')::date, lane.provider,
    count(*), count(*) FILTER (WHERE attempt.tls <> '')
FROM domains_signaturecheck checked
JOIN deliveries_delivery delivery ON delivery.message_id = checked.message_id
JOIN deliveries_attempt attempt ON attempt.delivery_id = delivery.id
JOIN deliveries_lane lane ON lane.id = delivery.lane_id
WHERE checked.message_id = ANY(%(messages)s) AND attempt.outcome = 'delivered'
    AND checked.domain_id IS NOT NULL AND lane.provider NOT IN ('', 'default')
GROUP BY 1, 2, 3
"""


def is_bulk(fields: list[bytes]) -> bool:
    """Tell whether a header section marks its message as one of many."""
    names = {each.partition(b":")[0].strip().lower() for each in fields}
    return bool(names & BULK_FIELDS) or any(BULK.match(each) for each in fields)


def has_one_click(fields: list[bytes]) -> bool:
    """Tell whether it unsubscribes by one POST (RFC 8058)."""
    return any(POST.match(each.strip()) for each in fields) and any(
        HTTPS.match(each) for each in fields
    )


def note_message(domain: Domain, data: bytes, *, now: datetime) -> None:
    """Count a message of the sample."""
    section, _body_at = split(data)
    fields = [bytes(field.raw) for field in parse(section)]
    bulk = is_bulk(fields)
    added = {"amount": 1, "bulk": int(bulk), "one_click": int(bulk and has_one_click(fields))}
    _add(domain.pk, now.astimezone(UTC).date(), "", added, now=now)


@transaction.atomic
def follow(*, now: datetime) -> int:
    """Count how messages of the sample were handed over, once; return how many were looked at."""
    waiting = SignatureCheck.objects.select_for_update(skip_locked=True).filter(
        is_followed=False, checked_at__lte=now - AFTER, checked_at__gt=now - FORGET
    )
    messages = list(waiting.order_by("checked_at").values_list("pk", flat=True)[:MOST])
    if not messages:
        return 0
    rows = sql.rows(TRANSPORT, {"messages": messages})
    for domain, day, receiver, amount, by_tls in rows:
        _add(domain, day, receiver[:253], {"amount": amount, "by_tls": by_tls}, now=now)
    SignatureCheck.objects.filter(pk__in=messages).update(is_followed=True)
    return len(messages)


def _add(domain: int, day: date, receiver: str, added: Mapping[str, int], *, now: datetime) -> None:
    row, _is_new = SampledDay.objects.get_or_create(
        domain_id=domain, day=day, receiver=receiver, defaults={"last_at": now}
    )
    changes = {name: F(name) + amount for name, amount in added.items()}
    SampledDay.objects.filter(pk=row.pk).update(**changes, last_at=now)
