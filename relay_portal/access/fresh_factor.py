"""When a person last showed their second factor in this session, and what they wanted to do when
that was too long ago.
"""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

SHOWN_AT, ACT = "portal_factor_at", "portal_act"
FIELDS_MOST = 65_536  # bytes of a form that is kept


def note(request: HttpRequest) -> None:
    request.session[SHOWN_AT] = int(time.time())


def is_fresh(request: HttpRequest) -> bool:
    age = time.time() - float(request.session.get(SHOWN_AT, 0))
    return age <= settings.EKIDEN_FACTOR_MINUTES * 60


def asking(request: HttpRequest) -> str:
    """Return the address that asks for it; what the person sent is kept meanwhile.

    A file is not, nor a large form: they are sent once more by hand.
    """
    place = request.get_full_path()
    if request.method == "POST":
        place = _kept(request)
    return f"{reverse('two_factor:confirm')}?{urlencode({'next': place})}"


def take_act(request: HttpRequest) -> Any:
    """Return the address and the fields of what was kept, once."""
    return request.session.pop(ACT, None)


def _kept(request: HttpRequest) -> str:
    fields = [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name != "csrfmiddlewaretoken"
    ]
    size = sum(len(name) + len(value) for name, value in fields)
    if request.FILES or size > FIELDS_MOST:
        return reverse("admin:index")
    request.session[ACT] = [request.get_full_path(), fields]
    return reverse("two_factor:repeat")
