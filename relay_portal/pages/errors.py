"""What the portal says when a page cannot be shown; never why in a developer's words."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import admin
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.request import host_validation_re
from django.shortcuts import render
from django.utils.translation import gettext as _

# What docs/operations.md gives for nginx; a test compares them.
NGINX = (
    "proxy_set_header Host $http_host;",
    "proxy_set_header X-Forwarded-For $remote_addr;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
)
# How Django's reasons begin.
CHECKED_BY_ADDRESS = ("Origin checking failed", "Referer checking failed")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(
        request, 403, _("You may not do this"), _("Your account has no permission for it.")
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(
        request, 404, _("Not found"), _("There is no such page, or it is not yours to see.")
    )


def failed(request: HttpRequest) -> HttpResponse:
    """Answer in plain text: whatever broke may be what a template needs."""
    return HttpResponse(
        _("Something is wrong here. The log of the portal tells what.") + "\n",
        status=500,
        content_type="text/plain",
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not isinstance(exception, DisallowedHost):
        return _plain(400, _("The portal does not understand this request."))
    asked = _address("", str(request.META.get("HTTP_HOST", "")))
    return _plain(
        400,
        _("The portal does not answer under this name: %(name)s") % {"name": asked}
        if asked
        else _("The request names no valid host."),
        _("Open it under its own name, or name this one too where the service runs:"),
        "    EKIDEN_ALLOWED_HOSTS=portal.example.com,localhost",
        _("A proxy before the portal must pass on the name that the browser asked for. In nginx:"),
        f"    {NGINX[0]}",
    )


def form_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Tell a proxy that hides the portal's address from a form that is out of date (Django's
    `CSRF_FAILURE_VIEW`).
    """
    if not reason.startswith(CHECKED_BY_ADDRESS):
        return _plain(
            403,
            _(
                "This form is out of date, or the browser keeps no cookies for this page. "
                "Nothing was changed."
            ),
            _("Allow cookies, load the page again, and send the form once more."),
        )
    return _plain(
        403,
        _(
            "This form was not taken, since it seems to come from another site. Nothing was "
            "changed."
        ),
        *_compared(request),
        _(
            "If this is your portal, the proxy before it does not say under which address it was "
            "asked. In nginx it needs these lines:"
        ),
        "\n".join(f"    {line}" for line in NGINX),
        _(
            "$host in place of $http_host leaves out the port. The last two are believed from a "
            "proxy on the same machine only."
        ),
        _("The name must be in EKIDEN_ALLOWED_HOSTS."),
    )


def _compared(request: HttpRequest) -> list[str]:
    """Show both addresses, where the browser sent its own."""
    origin = str(request.META.get("HTTP_ORIGIN") or request.META.get("HTTP_REFERER") or "")
    if not origin:
        return [
            _(
                "The browser does not say which page the form is from. It must send the field "
                "Origin or Referer."
            )
        ]
    parts = re.match(r"(https?)://([^/?#]*)", origin)
    theirs, ours = (
        _address(*parts.groups()) if parts else "",
        _address(request.scheme or "", request.get_host()),
    )
    if not (theirs and ours):
        return []
    return [
        _("The browser sent it from %(theirs)s, and the portal was asked as %(ours)s.")
        % {"theirs": theirs, "ours": ours}
    ]


def _address(scheme: str, host: str) -> str:
    """Return what a stranger sent only where it has the form of an address; else nothing."""
    if (
        scheme not in ("", "http", "https")
        or len(host) > 260
        or not host_validation_re.fullmatch(host.lower())
    ):
        return ""
    return f"{scheme}://{host}" if scheme else host


def _plain(status: int, *paragraphs: str) -> HttpResponse:
    return HttpResponse(
        "\n\n".join(paragraphs) + "\n", status=status, content_type="text/plain; charset=utf-8"
    )


def _page(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    context: dict[str, Any] = {**admin.site.each_context(request), "title": title, "text": text}
    return render(request, "portal/error.html", context, status=status)
