"""Keeps how receivers see us, and tells when it changes for the worse or is well again."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from domains.foundation.dns.resolver import Resolver, TemporaryFailure
from domains.foundation.dns.servers import nameservers
from domains.identity.ourselves import OwnFinding, look
from domains.identity.sentences import SlipRemark, english
from domains.models import IdentityAlertKind, OwnLight
from domains.operations.identity_alerts import end_alert, raise_alert
from domains.senders.source_addresses import of_sources

KIND = IdentityAlertKind.OURSELVES
ORDER = {"ptr": 0, "forward": 1, "ehlo": 2}  # lists behind


def refresh(*, now: datetime) -> None:
    """Look at all of our addresses and keep it; nothing changes where DNS does not name them."""
    try:
        found = asyncio.run(look(Resolver(nameservers(settings.EKIDEN_DNS)), sources=of_sources()))
    except TemporaryFailure:
        return
    keep(found, now=now)


@transaction.atomic
def keep(found: list[OwnFinding], *, now: datetime) -> None:
    """Keep the findings, begin and end alerts; what could not be told leaves them as they are."""
    last = {(each.address, each.check_name): each for each in OwnLight.objects.select_for_update()}
    for finding in found:
        row = last.pop((finding.address, finding.check), None) or OwnLight(
            address=finding.address, check_name=finding.check, changed_at=now
        )
        if row.light != finding.state:
            row.changed_at = now
        row.light, row.slip, row.given = finding.state, finding.code, finding.given
        row.checked_at = now
        row.save()
        subject = _subject(finding.address, finding.check)
        if finding.state == "bad":
            text = english(SlipRemark(finding.code, finding.given))
            raise_alert(KIND, subject, text, slip=finding.code, given=finding.given)
        elif finding.state == "good":
            end_alert(KIND, subject, now=now)
    for row in last.values():  # an address that is ours no more, or a list that is asked no more
        end_alert(KIND, _subject(row.address, row.check_name), now=now)
        row.delete()


def _subject(address: str, check: str) -> str:
    return f"{address} {check}"


def lights() -> list[dict[str, Any]]:
    """Return the last look as JSON, by address, its names before the lists."""
    rows = sorted(
        OwnLight.objects.all(),
        key=lambda row: (row.address, ORDER.get(row.check_name, 9), row.check_name),
    )
    return [
        {
            "address": row.address, "check": row.check_name, "state": row.light, "slip": row.slip,
            "given": row.given, "text": english(SlipRemark(row.slip, row.given)),
            "checked_at": row.checked_at.isoformat(), "changed_at": row.changed_at.isoformat(),
        }
        for row in rows
    ]  # fmt: skip
