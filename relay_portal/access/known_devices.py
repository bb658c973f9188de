"""Browsers in which a person has logged in with both factors: a signed cookie tells them again,
and spares them strangers' locks.

It opens nothing by itself. It is bound to the password's hash: with a new password all devices are
strangers again.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.crypto import salted_hmac

from relay_portal.models import User

COOKIE = "ekiden_device"
LIFETIME = timedelta(days=180)
SALT = "relay_portal.known_devices"


def remember(response: HttpResponse, user: User) -> None:
    """Make the browser that gets this answer a known one of this person."""
    payload = signing.dumps(
        {"user": user.pk, "device": secrets.token_hex(16), "password": _mark(user)}, salt=SALT
    )
    response.set_cookie(
        COOKIE, payload, max_age=LIFETIME, path=reverse("two_factor:login"), httponly=True,
        samesite="Lax",
    )  # fmt: skip


def of(request: HttpRequest, name: str) -> str:
    """Return the device's name where the request comes from a known device of that person; nothing
    else.
    """
    try:
        payload: dict[str, Any] = signing.loads(
            request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=LIFETIME
        )
    except signing.BadSignature:
        return ""
    user = User.objects.filter(pk=payload["user"], username=name).first()
    return (
        f"device {payload['device']}"
        if user is not None and secrets.compare_digest(payload["password"], _mark(user))
        else ""
    )


def _mark(user: User) -> str:
    return salted_hmac(SALT, user.password, algorithm="sha256").hexdigest()[:32]
