"""What the portal says when a page cannot be shown; never why in a developer's words."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 403, _("You may not do this"), _("Your account has no permission for it."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 404, _("Not found"), _("There is no such page, or it is not yours to see."))


def failed(request: HttpRequest) -> HttpResponse:
    """Plain text: whatever broke may be what a template needs."""
    return HttpResponse(_("Something is wrong here. The log of the portal tells what.") + "\n", status=500, content_type="text/plain")


def _page(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    context: dict[str, Any] = {**admin.site.each_context(request), "title": title, "text": text}
    return render(request, "portal/error.html", context, status=status)
