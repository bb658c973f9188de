"""What apps were refused when they handed mail in, as `trace` tells it."""

from __future__ import annotations

from datetime import UTC
from typing import TypedDict

from deliveries.models import Refusal
from domains.foundation.text.addresses import BadAddress, parse_path
from domains.foundation.text.texts import storable

NEWEST = 20


# A keyword cannot be a field of the class form.
class RefusalFacts(TypedDict("RefusalFacts", {"from": str})):
    """One recipient that an app was refused; of a message that was refused as a whole each has its
    own.
    """

    at: str
    credential: int
    recipient: str
    command: str
    code: int
    enhanced: str
    text: str


def refusals(query: str) -> list[RefusalFacts]:
    """Return what apps were refused for this recipient lately, newest first."""
    query = storable(query).strip()
    try:
        key = parse_path(query.strip("<>"), smtputf8=True).key
    except BadAddress:
        key = query.lower()
    return [
        {
            "at": row.at.astimezone(UTC).isoformat(),
            "credential": row.credential_id,
            "from": row.mail_from,
            "recipient": row.recipient,
            "command": row.command,
            "code": row.code,
            "enhanced": row.enhanced,
            "text": row.text,
        }
        for row in Refusal.objects.filter(recipient_key=key)
        .exclude(recipient_key="")
        .order_by("-id")[:NEWEST]
    ]
