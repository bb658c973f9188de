"""How long a project may send as a domain whose DNS no longer proves that it is the project's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from domains.models import Domain, DomainAlertKind
from domains.operations import audit
from domains.senders import domain_alerts

GRACE = timedelta(hours=72)  # from the first look that finds nothing, until mail is refused
AGAIN = timedelta(hours=24)  # until it is said once more
# A claim of another project's counts where its own zone has shown it lately; domains that are not
# verified are looked at every hour.
FRESH = timedelta(days=1)
ACTOR = domain_alerts.ACTOR
OWNERSHIP = DomainAlertKind.OWNERSHIP


def is_gone(states: Sequence[str]) -> bool:
    """Tell if none of the records that prove ownership is there. DNS that does not answer for one
    of them decides nothing.
    """
    return bool(states) and all(state in ("missing", "wrong") for state in states)


def note_proof(domain: Domain, *, now: datetime) -> None:
    """Note that a look has found a proof: what was lost is there again."""
    if domain.lost_at is not None:
        domain.lost_at = None
        domain.save(update_fields=["lost_at"])
    domain_alerts.end_alert(domain, OWNERSHIP, now=now)


def note_claim(domain: Domain, *, now: datetime) -> None:
    """Note that a look has found a proof for a domain that another project has."""
    if domain.claims_since is None:
        domain.claims_since = now
        domain.save(update_fields=["claims_since"])


def note_gone(domain: Domain, *, now: datetime) -> None:
    """Note that a look has found no proof: warn, warn again, in the end refuse the domain's mail.

    An operator's word is not taken back.
    """
    if domain.claims_since is not None:
        domain.claims_since = None
        domain.save(update_fields=["claims_since"])
    if not domain.is_verified or domain.is_assumed:
        return None
    if domain.lost_at is None:
        domain.lost_at = now
        domain.save(update_fields=["lost_at"])
    if now >= domain.lost_at + GRACE:
        return _end(domain, now=now)
    until = f"{domain.lost_at + GRACE:%Y-%m-%d %H:%M} UTC"
    domain_alerts.open_alert(domain, OWNERSHIP, {"domain": domain.name, "until": until}, now=now)
    if now >= domain.lost_at + AGAIN:
        domain_alerts.repeat_once(domain, OWNERSHIP, now=now)
    return None


@transaction.atomic
def _end(domain: Domain, *, now: datetime) -> None:
    """Refuse the domain's mail from now on, and verify it for the project that has proven it
    meanwhile.
    """
    domain.verified_at, domain.lapsed_at = None, now
    domain.save(update_fields=["verified_at", "lapsed_at"])
    audit.note(ACTOR, "lapsed", domain)
    claims = Domain.objects.unverified().filter(
        name=domain.name, claims_since__isnull=False, checked_at__gte=now - FRESH
    )
    heir = claims.exclude(pk=domain.pk).order_by("claims_since", "pk").select_for_update().first()
    if heir is None:
        return
    heir.verify(now=now)
    audit.note(ACTOR, "passed_on", domain)
    audit.note(ACTOR, "took_over", heir)
    domain_alerts.end_alert(domain, OWNERSHIP, now=now)
