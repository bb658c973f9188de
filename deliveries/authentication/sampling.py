"""Verifies one of every so many messages as it is stored, by dkimpy and the keys that DNS serves
now: where a receiver would see a failure, an alert says so.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from deliveries.authentication import sampled_days
from deliveries.authentication.refusals import domain_of
from deliveries.message import compression
from deliveries.message.ids import first_id_of
from domains.foundation import sql
from domains.identity import signatures
from domains.identity.signatures import SignatureFinding
from domains.models import Domain, IdentityAlert, IdentityAlertKind, SignatureCheck
from domains.operations.identity_alerts import end_alert, raise_alert

MOST = 50  # messages of one turn
LARGEST = 10_485_760  # bytes of a message that is looked at
PAST = timedelta(hours=1)  # how far the first turn looks back
COMMITTED = timedelta(minutes=1)  # an older id comes into the table no more

# The last digits of an id are chance. Ids sort by time, so a turn goes on where the last one found
# its last message, and reads few besides.
SAMPLE = """
SELECT message.id, message.header_from, content.data
FROM deliveries_message message JOIN deliveries_content content ON content.message_id = message.id
WHERE message.id > %(after)s AND message.id < %(before)s AND message.origin = 'submission'
    AND message.size <= %(largest)s
    AND ('x' || right(message.id::text, 7))::bit(28)::int %% %(every)s = 0
ORDER BY message.id LIMIT %(most)s
"""


def take_turn(*, now: datetime) -> int:
    """Return how many messages were verified."""
    _forget_gone_domains(now)
    every = settings.EKIDEN_SIGNATURE_SAMPLE
    if not every:
        return 0
    last = SignatureCheck.objects.order_by("-message_id").values_list("pk", flat=True).first()
    given: dict[str, Any] = {
        "after": last or first_id_of(now - PAST), "before": first_id_of(now - COMMITTED),
        "largest": LARGEST, "every": every, "most": MOST,
    }  # fmt: skip
    rows = sql.rows(SAMPLE, given)
    for id_, header_from, data in rows:
        check(id_, header_from.rpartition("@")[2].strip("<> ").lower(), bytes(data), now=now)
    return len(rows)


def _forget_gone_domains(now: datetime) -> None:
    """End the alerts of removed domains, since no passing message can end them any more."""
    kind = IdentityAlertKind.SIGNATURE
    verified = Domain.objects.verified().values("name")
    for alert in IdentityAlert.objects.filter(kind=kind, ended_at=None).exclude(
        subject__in=verified
    ):
        end_alert(kind, alert.subject, now=now)


def check(message: UUID, author: str, compressed: bytes, *, now: datetime) -> None:
    """Verify one message and keep what was found; a second call changes nothing."""
    domain = domain_of(author)
    try:
        data = compression.decompress(compressed, most=LARGEST * 2)
    except ValueError:
        data = b""
    ours = _ours(domain, signatures.signatures(data)) if domain is not None else []
    result = _result(ours)
    _kept, is_new = SignatureCheck.objects.get_or_create(
        message_id=message,
        defaults={"domain": domain, "result": result, "checked_at": now,
            "findings": [each.as_json() for each in ours]},
    )  # fmt: skip
    if is_new and domain is not None:
        sampled_days.note_message(domain, data, now=now)
    if is_new and domain is not None and not domain.is_assumed:
        _tell(domain, result, ours, now=now)


def _ours(domain: Domain, found: list[SignatureFinding]) -> list[SignatureFinding]:
    """Leave out signatures that an app made itself or that came with forwarded mail."""
    selectors = set(domain.keys.values_list("selector", flat=True))
    return [each for each in found if each.domain == domain.name and each.selector in selectors]


def _result(ours: list[SignatureFinding]) -> str:
    states = {each.state for each in ours}
    return next((state for state in ("fail", "unknown", "pass") if state in states), "none")


def _tell(domain: Domain, result: str, ours: list[SignatureFinding], *, now: datetime) -> None:
    if result == "pass":
        end_alert(IdentityAlertKind.SIGNATURE, domain.name, now=now)
    elif result == "fail":
        bad: dict[str, Any] = next(each for each in ours if each.state == "fail").as_json()
        raise_alert(
            IdentityAlertKind.SIGNATURE, domain.name, bad["text"], slip=bad["slip"],
            given=bad["given"],
        )  # fmt: skip
