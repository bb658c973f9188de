"""Opens an alert when something by which receivers know us goes wrong, and ends it when it is well
again; each of the two is told once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from domains.foundation.text import texts
from domains.models import IdentityAlert, IdentityAlertKind
from domains.operations import audit

logger = logging.getLogger("ekiden.mail")

ACTOR = "alert"


@transaction.atomic
def raise_alert(
    kind: IdentityAlertKind,
    subject: str,
    text: str,
    *,
    slip: str = "",
    given: Mapping[str, str] | None = None,
) -> bool:
    """Return whether it is new; one that is open already only gets the newest text."""
    alert, is_new = IdentityAlert.objects.get_or_create(
        kind=kind, subject=subject, ended_at=None,
        defaults={"text": text, "slip": slip, "given": dict(given or {})},
    )  # fmt: skip
    if is_new:
        logger.warning(
            "event=identity-alert kind=%s subject=%s said=%r",
            kind.value,
            texts.clean(subject),
            text,
        )
        audit.note(ACTOR, "alert", alert, reason=audit.one_line(text))
    elif alert.text != text:
        alert.text, alert.slip, alert.given = text, slip, dict(given or {})
        alert.save(update_fields=["text", "slip", "given"])
    return is_new


@transaction.atomic
def end_alert(kind: IdentityAlertKind, subject: str, *, now: datetime) -> bool:
    """Return whether one was open."""
    open_one = IdentityAlert.objects.filter(kind=kind, subject=subject, ended_at=None)
    is_open = open_one.update(ended_at=now) > 0
    if is_open:
        logger.info("event=identity-alert-ended kind=%s subject=%s", kind.value, subject)
    return is_open


def standing() -> list[IdentityAlert]:
    """Return those that are open, the oldest first."""
    return list(IdentityAlert.objects.filter(ended_at=None).order_by("opened_at", "pk"))
