"""How long a session has been open, and when a person last used it."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest
from django_otp import DEVICE_ID_SESSION_KEY

from relay_portal.access.fresh_factor import SHOWN_AT
from relay_portal.access.known_sessions import FROM_PROVIDER

OPENED, SEEN = "portal_opened", "portal_seen"
SEEN_EVERY = 60  # seconds; the session is not written with each request


def is_fresh(request: HttpRequest, *, is_used: bool = True) -> bool:
    """Tell if the session is within its idle and its longest time; notes that a person uses it."""
    now, session = int(time.time()), request.session
    opened = session.setdefault(OPENED, now)
    seen = session.setdefault(SEEN, now)
    if (
        now - opened > settings.SESSION_LONGEST.total_seconds()
        or now - seen > settings.SESSION_IDLE.total_seconds()
    ):
        return False
    if is_used and now - seen >= SEEN_EVERY:
        session[SEEN] = now
    return True


def follow_log_ins() -> None:
    """Begin anew with each log-in; called once, when the apps are ready."""
    user_logged_in.connect(_begin, dispatch_uid="session_age")


def _begin(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    # Django keeps the session of whoever logs in over an old one of their own. Its times would end
    # it at once, and what was shown in it, or who vouched, counts for this log-in no more.
    session = request.session
    session.cycle_key()
    session[OPENED] = session[SEEN] = int(time.time())
    stale = {SHOWN_AT, FROM_PROVIDER}
    if getattr(user, "otp_device", None) is None:  # else it was shown with this log-in
        stale.add(DEVICE_ID_SESSION_KEY)
    for name in stale:
        session.pop(name, None)
