"""What every page of the portal knows."""

from typing import Any

from django.http import HttpRequest

from deliveries.models import Route


def sandbox(request: HttpRequest) -> dict[str, Any]:
    """Whether mail goes to the sandbox; asked only where a template looks, and then of a table with a handful of rows."""
    return {"is_sandbox": Route.objects.filter(is_sandbox=True).exists}
