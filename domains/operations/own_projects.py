"""Which projects the person who asks is limited to, and what their forms may offer."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def projects_of(request: HttpRequest) -> list[int] | None:
    """Return the ids of the projects that this person is limited to, None for all.

    Looked up once for a request: the planner knows how rare a listed project is, and nothing about
    a subquery.
    """
    known: Any = request  # an attribute of ours on it
    if not known.user.is_limited:
        return None
    if not hasattr(known, "portal_projects"):
        known.portal_projects = list(known.user.projects.values_list("pk", flat=True))
    return list(known.portal_projects)


def within(site: Any, request: HttpRequest, field: Any, *, must_choose: bool = False) -> Any:
    """Offer the rows that this person sees, and never "the whole installation" to whoever is
    limited to projects.
    """
    chosen = getattr(field, "queryset", None)
    if chosen is not None and projects_of(request) is not None:
        pages = site._registry.get(chosen.model)
        field.queryset = pages.get_queryset(request) if pages else chosen.none()
        field.required = field.required or must_choose
    return field
