"""Into the sandbox and out of it: one catch-all route, and what becomes of the mail that waits
when it goes.
"""

from __future__ import annotations

from collections import Counter

from django.conf import settings

from deliveries.models import Lane, Route
from deliveries.queue import cancellation
from deliveries.routing import routes
from deliveries.routing.resolver import best_route, site_key
from domains.foundation.process.own_address import own_address
from domains.models import Project

WHY = "The installation left the sandbox"


def route() -> Route | None:
    return Route.objects.filter(is_sandbox=True).first()


def enter() -> Route:
    """Lead all mail to the built-in sandbox MX. Raises `ValidationError` where another catch-all
    route exists.
    """
    return routes.add("*", own_address(), settings.EKIDEN_SANDBOX_PORT, is_sandbox=True)


def leave(catch_all: Route) -> dict[str, int]:
    """Let mail go to the internet from now on; return how many deliveries of each project were
    cancelled.

    What was accepted for the sandbox is not let out into the world. Mail in a lane that many routes
    share (waiting to be routed, or parked by a pause) is the sandbox's where the sandbox's route is
    the one that its domain would take. Until the routers have forgotten the route some more may go
    its way, which ends like the rest.
    """
    lane = list(
        Lane.objects.filter(
            site=site_key(catch_all.host, catch_all.port, catch_all.tls)
        ).values_list("pk", flat=True)
    )
    cancelled = cancellation.cancel_lanes(lane, why=WHY) + _cancel_shared(catch_all)
    routes.remove(catch_all)
    cancelled += cancellation.cancel_lanes(lane, why=WHY)
    names = Project.objects.in_bulk(cancelled)
    return {
        str(names.get(project, project)): amount for project, amount in sorted(cancelled.items())
    }


def _cancel_shared(catch_all: Route) -> Counter[int]:
    every = list(Route.objects.all())
    shared = (Lane.ROUTING, Lane.PARKED)
    taken = [
        domain
        for domain in cancellation.domains_waiting(shared)
        if best_route(every, domain) == catch_all
    ]
    return cancellation.cancel_lanes(shared, why=WHY, domains=taken)
