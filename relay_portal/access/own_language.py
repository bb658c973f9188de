"""The language in which one person reads the portal, on whatever browser they log in.

A cookie keeps it for who is not logged in; the first log-in with one makes it the person's own.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.views.i18n import set_language

from relay_portal.models import User


def speak(request: HttpRequest, user: User) -> None:
    """Answer this request in the person's language, in place of the browser's."""
    if is_spoken(user.language):
        translation.activate(user.language)
        request.LANGUAGE_CODE = user.language


def is_spoken(code: str) -> bool:
    return code in dict(settings.LANGUAGES)


def choose(request: HttpRequest) -> HttpResponse:
    """Keep the language that was chosen: with the person who is logged in, else in a cookie."""
    response = set_language(request)
    chosen = request.POST.get("language", "")
    if is_spoken(chosen) and isinstance(request.user, User):
        User.objects.filter(pk=request.user.pk).update(language=chosen)
        response.cookies.pop(settings.LANGUAGE_COOKIE_NAME, None)
    return response


def follow_log_ins() -> None:
    """Keep what a person chose before their first log-in; called once, when the apps are ready."""
    user_logged_in.connect(_adopt, dispatch_uid="own_language")


def _adopt(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    if is_spoken(chosen):
        User.objects.filter(pk=user.pk, language="").update(language=chosen)
