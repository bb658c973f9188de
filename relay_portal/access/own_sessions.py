"""The sessions of a person: where each was opened and when it was used last; and their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django_otp import DEVICE_ID_SESSION_KEY

from domains.foundation.text.texts import one_line
from domains.operations.pages import client_address
from relay_portal.access import known_sessions
from relay_portal.access.session_age import OPENED, SEEN
from relay_portal.access.sessions import stored_key
from relay_portal.models import User

OPENED_BY = "portal_opened_by"  # where from, and the browser's own words
AGENT_MOST = 120  # characters
KEY_MOST = 12  # characters of the stored key that name a session on the page


@dataclass(frozen=True, slots=True)
class OwnSession:
    name: str
    address: str
    agent: str
    opened_at: datetime | None
    seen_at: datetime | None
    is_this: bool


def note_origin(request: HttpRequest) -> None:
    """Write down where a session was opened; encrypted with the rest of it."""
    agent = one_line(request.headers.get("User-Agent", ""), AGENT_MOST)
    request.session[OPENED_BY] = [client_address(request) or "", agent]


def sessions_of(request: HttpRequest) -> list[OwnSession]:
    """Return those of the person who asks that have their second factor, the newest use first."""
    this = stored_key(request.session.session_key or "")
    found = []
    for row, held in known_sessions.of_user(_asking(request)):
        if held.get(DEVICE_ID_SESSION_KEY):
            address, agent = held.get(OPENED_BY, ["", ""])
            given = _time(held.get(OPENED)), _time(held.get(SEEN)), row.session_key == this
            found.append(OwnSession(row.session_key[:KEY_MOST], address, agent, *given))
    return sorted(found, key=lambda each: (not each.is_this, -_stamp(each.seen_at)))


def end_other_sessions(request: HttpRequest, name: str = "") -> int:
    """End that one of the person's own, or all but this; return how many ended."""
    this = stored_key(request.session.session_key or "")
    meant = [
        row.session_key
        for row, _held in known_sessions.of_user(_asking(request))
        if row.session_key != this and (not name or row.session_key[:KEY_MOST] == name)
    ]
    Session.objects.filter(session_key__in=meant).delete()
    return len(meant)


def _asking(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _time(stamp: float | None) -> datetime | None:
    return datetime.fromtimestamp(stamp, UTC) if stamp else None


def _stamp(at: datetime | None) -> float:
    return at.timestamp() if at else 0.0
