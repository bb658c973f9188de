"""Who is locked out of the log-in, and what they are told.

Wrong passwords count by name and place together, by place, and by name. A browser in which a person
once logged in fully is known (`relay_portal.access.known_devices`): strangers' tries do not count
against it, only its own.
"""

from __future__ import annotations

import logging
from ipaddress import ip_address, ip_network
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.db.models import F, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from domains.foundation.text.texts import storable
from relay_portal.access import arrival, known_devices

logger = logging.getLogger(__name__)

TOO_MANY_REQUESTS = 429
# Wrong passwords within the cool-off time. One place may hold a whole office, and one name may be
# tried from a thousand places.
PER_NAME_AND_PLACE, PER_PLACE, PER_NAME, PER_DEVICE = 10, 20, 50, 10
LONGEST_NAME = 255


def client_address(request: HttpRequest) -> str:
    """Return the peer's address.

    Where that is a proxy on this host, it is the one for which the proxy says that it asks.
    """
    return arrival.forwarded(request) or str(request.META.get("REMOTE_ADDR", ""))


def place(request: HttpRequest) -> str:
    """Return the address by which a client is counted: of IPv6 the first of its /64, since who has
    one address has them all.
    """
    text = client_address(request)
    if not arrival.is_address(text):
        return text
    address = ip_address(text)
    address = getattr(address, "ipv4_mapped", None) or address
    return (
        str(address)
        if address.version == 4
        else str(ip_network((int(address), 64), strict=False).network_address)
    )


# django-axes hands over what it knows.
def locked_out(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    context = admin.site.each_context(request)
    return render(request, "account/locked_out.html", context, status=TOO_MANY_REQUESTS)


class Handler(AxesDatabaseHandler):  # type: ignore[misc]  # axes publishes no types
    """Counts by limits of our own, and keeps nothing of what was typed but the name."""

    def get_failures(self, request: Any, credentials: Any = None) -> int:
        """Return the limit of axes where one of ours is reached; it asks for nothing else."""
        return settings.AXES_FAILURE_LIMIT if self._is_over(request, _name(credentials)) else 0

    def _is_over(self, request: Any, name: str) -> bool:
        recent = AccessAttempt.objects.filter(attempt_time__gte=get_cool_off_threshold(request))
        if device := known_devices.of(request, name):
            return _failures(recent.filter(user_agent=device, username=name)) >= PER_DEVICE
        strangers = recent.filter(user_agent="")
        here = strangers.filter(ip_address=request.axes_ip_address)
        return (
            _failures(here.filter(username=name)) >= PER_NAME_AND_PLACE
            or _failures(here) >= PER_PLACE
            or _failures(strangers.filter(username=name)) >= PER_NAME
        )

    def user_login_failed(
        self, sender: Any, credentials: Any, request: Any = None, **kwargs: Any
    ) -> None:
        if request is None:
            return
        name, client = _name(credentials), client_address(request)
        if request.axes_locked_out:  # was not looked at, and does not count
            logger.warning("event=login-refused client=%s user=%s", client, name)
            return
        self._count(request, name)
        request.axes_locked_out = self._is_over(request, name)
        logger.warning(
            "event=login-failed client=%s user=%s locked=%s",
            client,
            name,
            "yes" if request.axes_locked_out else "no",
        )

    @transaction.atomic
    def _count(self, request: Any, name: str) -> None:
        whose = {
            "username": name,
            "ip_address": request.axes_ip_address,
            "user_agent": known_devices.of(request, name),
        }
        last = {"attempt_time": request.axes_attempt_time, "path_info": arrival.words(request)}
        first = {"failures_since_start": 1, "get_data": "", "post_data": "", "http_accept": ""}
        kept, is_new = AccessAttempt.objects.select_for_update().get_or_create(
            **whose, defaults=first | last
        )
        if is_new:
            return
        is_old = kept.attempt_time < get_cool_off_threshold(request)
        failures = 1 if is_old else F("failures_since_start") + 1
        AccessAttempt.objects.filter(pk=kept.pk).update(failures_since_start=failures, **last)

    def user_logged_in(self, sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
        request.axes_path_info = arrival.words(request)
        super().user_logged_in(sender, request, user, **kwargs)


def _name(credentials: Any) -> str:
    return storable(str((credentials or {}).get("username") or ""))[:LONGEST_NAME]


def _failures(attempts: QuerySet[Any]) -> int:
    return attempts.aggregate(all=Sum("failures_since_start"))["all"] or 0
