"""From which networks people may log in, and use what they have opened."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from domains.foundation.text.texts import quoted
from relay_portal.access import arrival, lockout
from relay_portal.models import LogInNetwork, User

logger = logging.getLogger(__name__)

FORBIDDEN = 403
EVERYBODY = ""  # instead of a role

Network = IPv4Network | IPv6Network
Rule = tuple[str, Network]  # a role, or everybody


def rules() -> list[Rule]:
    rows = LogInNetwork.objects.values_list("role", "network")
    return [(role, ip_network(network)) for role, network in rows]


def allows(rules: Sequence[Rule], role: str, address: IPv4Address | IPv6Address | None) -> bool:
    """Return whether a person of this role may come from there.

    The networks of the role count; where it has none, those for everybody; where there are none
    of these either, every address is good.
    """
    mine = [network for of, network in rules if of == role]
    if not mine:
        mine = [network for of, network in rules if of == EVERYBODY]
    return not mine or (address is not None and any(address in network for network in mine))


def address_of(request: HttpRequest) -> IPv4Address | IPv6Address | None:
    """Return where the request comes from, as the log-in's lock sees it."""
    text = lockout.client_address(request)
    if not arrival.is_address(text):
        return None
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def refuses(request: HttpRequest, user: User | None) -> bool:
    """Return whether this person may not come from there; None: whoever nobody knows, to whom the
    networks for everybody apply.
    """
    role = user.role if user else EVERYBODY
    if allows(rules(), role, address_of(request)):
        return False
    logger.warning(
        "event=login-refused-network client=%s user=%s",
        lockout.client_address(request),
        quoted(user.username) if user else "-",
    )
    return True


def sentence(request: HttpRequest) -> str:
    return _(
        "This portal may not be used from your network (%s). Come from one that may, or ask an "
        "owner."
    ) % (lockout.client_address(request) or "?")


def refusal(request: HttpRequest) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": _("Not from this network"),
        "sentence": sentence(request),
    }
    return render(request, "account/refused.html", context, status=FORBIDDEN)
