"""What the command `domain` tells of one, as sentences and as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from domains.identity import checking
from domains.models import Domain, ReturnPathState
from domains.senders import domain_alerts, return_paths, trust


def state_of(domain: Domain) -> str:
    if domain.is_assumed:
        return "taken as verified on an operator's word"
    if domain.lapsed_at is not None:
        return f"not verified any more, since {_clock(domain.lapsed_at)}"
    if domain.lost_at is not None:
        return f"verified until {_clock(domain.lost_at + trust.GRACE)}: its proof is gone from DNS"
    return "verified" if domain.is_verified else "not verified"


def _clock(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M %Z}"


def return_path_of(domain: Domain) -> str:
    row, host = return_paths.current(domain), settings.EKIDEN_HOSTNAME
    if row is None:
        wanted = domain.return_path_name
        more = f", until {wanted} is found twice" if wanted else ""
        return f"Its mail leaves with the return path {host}{more}."
    since = timezone.localtime(row.used_since or row.found_since).strftime("%Y-%m-%d %H:%M")
    match row.state:
        case ReturnPathState.USED:
            return f"Its mail leaves with the return path {row.name}, since {since}."
        case ReturnPathState.FOUND:
            return (
                f"Its mail leaves with the return path {host}; {row.name} was found, and is used "
                "from the next check on that finds it after ten minutes."
            )
        case _:
            return f"Its mail leaves with the return path {host}, since {row.name} is broken."


def facts_of(domain: Domain) -> dict[str, Any]:
    return {
        "name": domain.name,
        "project": domain.project.name,
        "is_verified": domain.is_verified,
        "is_assumed": domain.is_assumed,
        "verified_at": domain.verified_at and domain.verified_at.isoformat(),
        "covers_subdomains": domain.covers_subdomains,
        "lets_names_below_send": domain.lets_names_below_send,
        "lost_at": domain.lost_at and domain.lost_at.isoformat(),
        "refused_from": domain.lost_at and (domain.lost_at + trust.GRACE).isoformat(),
        "lapsed_at": domain.lapsed_at and domain.lapsed_at.isoformat(),
        "checked_at": domain.checked_at and domain.checked_at.isoformat(),
        "return_path": _return_path_facts(domain),
        "alerts": [
            {
                "kind": alert.kind,
                "opened_at": alert.opened_at.isoformat(),
                "text": domain_alerts.english(alert),
            }
            for alert in domain_alerts.open_alerts(domain)
        ],
        "records": checking.records_of(domain),
        "mail": checking.mail_of(domain),
    }


def _return_path_facts(domain: Domain) -> dict[str, Any]:
    row = return_paths.current(domain)
    return {
        "name": domain.return_path_name,
        "state": row.state if row is not None else "unseen",
        "found_since": row and row.found_since.isoformat(),
        "used_since": row and row.used_since and row.used_since.isoformat(),
        "used": return_paths.in_use(domain) or settings.EKIDEN_HOSTNAME,
    }
