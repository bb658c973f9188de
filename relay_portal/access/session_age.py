"""How long a session has been open, and when a person last used it."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest

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


def _begin(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    # Whoever logs in over an old session of their own keeps it: its times would end it at once.
    request.session.cycle_key()
    request.session[OPENED] = request.session[SEEN] = int(time.time())
