"""Static routes: written down, taken back, and followed by the mail that already waits."""

from __future__ import annotations

import time
from ipaddress import ip_address

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from deliveries.models import Destination, Lane, Route, Smarthost
from deliveries.routing.resolver import ROUTES_KEEP
from domains.foundation.text.addresses import BadAddress, canonical_domain


def add(
    pattern: str,
    host: str,
    port: int,
    tls: str = Route.Tls.OPPORTUNISTIC,
    *,
    is_sandbox: bool = False,
) -> Route:
    """Add a new route; raise `ValidationError`."""
    route = Route(
        pattern=canonical_pattern(pattern),
        host=host.lower(),
        port=port,
        tls=tls,
        is_sandbox=is_sandbox,
    )
    route.full_clean()
    route.save(force_insert=True)
    follow(route.pattern)
    return route


def add_to_smarthost(pattern: str, smarthost: Smarthost) -> Route:
    """Add a new route to a smarthost; raise `ValidationError`."""
    route = Route(pattern=canonical_pattern(pattern), smarthost=smarthost)
    route.full_clean()
    route.save(force_insert=True)
    follow(route.pattern)
    return route


def remove(route: Route) -> None:
    """Remove a route; domains under it go by another route or by their MX hosts again."""
    route.delete()
    follow(route.pattern)


def follow(pattern: str) -> None:
    """Let the mail that waits under this pattern be routed anew.

    Routers read the routes once a second: until that is over they would write the old way down
    again.
    """
    time.sleep(ROUTES_KEEP + 0.1)
    destinations = _under(pattern)
    # Nobody claims from a paused lane, so its mail could not leave it. The pause of other domains
    # in it is lost with it, which costs one try: the failures are still counted.
    Lane.objects.filter(destinations__in=destinations, paused_until__isnull=False).update(
        paused_until=None, pause_reason=""
    )
    destinations.update(expires_at=timezone.now())


def canonical_pattern(text: str) -> str:
    """Normalise `*`, `*.domain` or a domain to A-labels. Raises `ValidationError`."""
    try:
        if text.startswith("*."):  # a whole top-level domain is a pattern too, and no domain
            return "*." + canonical_domain(f"any.{text[2:]}").removeprefix("any.")
        return "*" if text == "*" else canonical_domain(text)
    except BadAddress as error:
        raise ValidationError(
            {"pattern": _("%s is neither a domain nor *.domain nor *.") % text}
        ) from error


def is_host(text: str) -> bool:
    """Tell whether mail can be led there: a name or an address."""
    try:
        return bool(text.lower() == "localhost" or _is_address(text) or canonical_domain(text))
    except BadAddress:
        return False


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def _under(pattern: str) -> QuerySet[Destination]:
    if pattern == "*":
        return Destination.objects.all()
    if pattern.startswith("*."):
        return Destination.objects.filter(domain__endswith=pattern[1:])
    return Destination.objects.filter(domain=pattern)
