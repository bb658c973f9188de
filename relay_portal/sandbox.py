"""Into the sandbox and out of it: one catch-all route, and what becomes of the mail that waits when it goes."""

from __future__ import annotations

from django.conf import settings

from deliveries import cancellation, routes
from deliveries.models import Lane, Route
from deliveries.routing import site_key
from smtp_listener.reach import own_address

WHY = "The installation left the sandbox"


def route() -> Route | None:
    return Route.objects.filter(is_sandbox=True).first()


def enter() -> Route:
    """All mail goes to the built-in sandbox MX from now on; raises `ValidationError` where another catch-all route stands."""
    return routes.add("*", own_address(), settings.EKIDEN_SANDBOX_PORT, is_sandbox=True)


def leave(standing: Route) -> int:
    """Mail goes to the internet from now on; returns how many deliveries were cancelled.

    What was accepted for the sandbox is not let out into the world. Until the routers have forgotten the route some more may go
    its way, which ends like the rest.
    """
    lane = list(Lane.objects.filter(site=site_key(standing.host, standing.port, standing.tls)).values_list("pk", flat=True))
    cancelled = cancellation.cancel_lanes([*lane, Lane.ROUTING], why=WHY)
    routes.remove(standing)
    return cancelled + cancellation.cancel_lanes(lane, why=WHY)
