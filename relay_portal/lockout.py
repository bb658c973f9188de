"""Who is locked out of the log-in, and what they are told."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

TOO_MANY_REQUESTS = 429


def client_address(request: HttpRequest) -> str:
    """The peer's address; where that is a proxy on this host, the address which that proxy itself wrote down, last in its list.

    What stands before it came with the request and may be a lie.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    said = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
    return said if _is_loopback(peer) and _is_address(said) else peer


def locked_out(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # axes hands over what it knows
    context = admin.site.each_context(request)
    return render(request, "account/locked_out.html", context, status=TOO_MANY_REQUESTS)


def _is_loopback(text: str) -> bool:
    return _is_address(text) and ip_address(text).is_loopback


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
