"""What every page of the portal knows."""

from typing import Any

from django.http import HttpRequest

from deliveries.models import Route
from deliveries.steering import pauses
from domains.foundation.rights import MayInTemplate
from relay_portal.openid import provider


def sandbox(request: HttpRequest) -> dict[str, Any]:
    """Tell if mail goes to the sandbox, and whether any goes; asked only where a template looks,
    and of tables with a handful of rows.
    """
    return {
        "is_sandbox": Route.objects.filter(is_sandbox=True).exists,
        "emergency_stop": pauses.emergency,
    }


def openid(request: HttpRequest) -> dict[str, Any]:
    """Tell the log-in what the OpenID provider is called, where there is one."""
    return {"provider": provider.name() if provider.is_configured() else ""}


def may(request: HttpRequest) -> dict[str, Any]:
    """Tell templates what the person who looks may do."""
    return {"may": MayInTemplate(getattr(request, "user", None))}
