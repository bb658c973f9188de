"""The page that shows a secret once, in the answer to the request that made it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from domains.operations.pages import Pages


def shown_once(
    pages: Pages,
    request: HttpRequest,
    row: Any,
    rows: list[tuple[str, Any]],
    *,
    title: str,
    **more: Any,
) -> HttpResponse:
    """Show secrets in the answer to the request that made them, since a redirect would have to
    store them.

    `more` is for the template, which says what to do with them.
    """
    context = {
        **pages.admin_site.each_context(request),
        "title": title,
        "rows": rows,
        "next": reverse(
            f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk]
        ),
        **more,
    }
    return TemplateResponse(
        request, "portal/shown_once.html", context, headers={"Cache-Control": "no-store"}
    )
