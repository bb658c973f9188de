"""A log-in that is under way at the provider, kept in a cookie of the browser that began it.

It is encrypted, lasts for minutes and needs no session: a stranger leaves nothing behind here.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict, dataclass, field

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from relay_portal.access.sessions import SessionStore

COOKIE = "ekiden_openid"
LASTS = 600  # seconds


def _random() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class PendingLogIn:
    """`again`: the primary key of the person who is asked once more; 0 for a first log-in."""

    next: str = ""
    again: int = 0
    state: str = field(default_factory=_random)
    nonce: str = field(default_factory=_random)
    verifier: str = field(default_factory=_random)
    begun_at: float = field(default_factory=time.time)


def keep(response: HttpResponse, pending: PendingLogIn) -> None:
    text = SessionStore().encode(asdict(pending))
    response.set_cookie(
        COOKIE, text, max_age=LASTS, path=reverse("two_factor:provider"), httponly=True,
        samesite="Lax",
    )  # fmt: skip


def of(request: HttpRequest) -> PendingLogIn | None:
    """Return the log-in that this answer of the provider belongs to."""
    kept = SessionStore().decode(request.COOKIES.get(COOKIE, ""))
    if not kept or time.time() - kept["begun_at"] > LASTS:
        return None
    pending = PendingLogIn(**kept)
    said = request.GET.get("state", "")
    return pending if secrets.compare_digest(said.encode(), pending.state.encode()) else None


def forget(response: HttpResponse) -> None:
    response.delete_cookie(COOKIE, path=reverse("two_factor:provider"), samesite="Lax")
