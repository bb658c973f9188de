"""When a person last showed their second factor in this session."""

from __future__ import annotations

import time

from django.http import HttpRequest

SHOWN_AT = "portal_factor_at"


def note(request: HttpRequest) -> None:
    request.session[SHOWN_AT] = int(time.time())
