"""Whether names below a domain may stand in From, signed by the domain."""

from __future__ import annotations

import asyncio
from datetime import datetime

from django.conf import settings

from domains.foundation.dns.resolver import Resolver
from domains.foundation.dns.servers import nameservers
from domains.identity.dmarc import policy_for
from domains.identity.spf import ResolverNames
from domains.models import Domain, DomainAlertKind
from domains.senders import domain_alerts

SUBDOMAINS = DomainAlertKind.SUBDOMAINS

# Stands for any name below: which policy applies there depends on none in particular.
_ANY = "any-name-below"


class StrictAlignment(Exception):
    """Receivers would refuse such mail: `domain` has the DMARC record that demands it."""

    def __init__(self, domain: str) -> None:
        super().__init__(domain)
        self.domain = domain


async def strict_at(domain: str, resolver: Resolver) -> str:
    """Return the domain whose DMARC record asks names below this one for signatures of their own
    (`adkim=s`); "" for none. Raises `TemporaryFailure`.
    """
    names = ResolverNames(resolver)

    async def texts(name: str) -> tuple[str, ...]:
        return await names.ask(name, "TXT")

    policy = await policy_for(f"{_ANY}.{domain}", texts)
    strict = policy.record is not None and policy.record.is_strict("adkim")
    return policy.found_at if strict else ""


def allow(domain: Domain) -> None:
    """Let names below it send; raises `StrictAlignment` and `TemporaryFailure`."""
    found = asyncio.run(_look(domain.name))
    if found:
        raise StrictAlignment(found)
    domain.covers_subdomains, domain.is_strict = True, False
    domain.save(update_fields=["covers_subdomains", "is_strict"])


def forbid(domain: Domain, *, now: datetime) -> None:
    """Let only the domain itself send."""
    domain.covers_subdomains = False
    domain.save(update_fields=["covers_subdomains"])
    domain_alerts.end_alert(domain, SUBDOMAINS, now=now)


def note_check(domain: Domain, strict: str | None, *, now: datetime) -> None:
    """Refuse mail from names below it as long as a check finds `adkim=s` (at `strict`; None: DNS
    gave no answer, which decides nothing).
    """
    if not domain.covers_subdomains or strict is None:
        return
    if domain.is_strict != bool(strict):
        domain.is_strict = bool(strict)
        domain.save(update_fields=["is_strict"])
    if strict:
        given = {"domain": domain.name, "name": f"_dmarc.{strict}"}
        domain_alerts.open_alert(domain, SUBDOMAINS, given, now=now)
    else:
        domain_alerts.end_alert(domain, SUBDOMAINS, now=now)


async def _look(domain: str) -> str:
    return await strict_at(domain, Resolver(nameservers(settings.EKIDEN_DNS)))
