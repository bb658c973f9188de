"""The portal's gate: every path but a named few demands a verified second factor, whatever view
stands behind it.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import Resolver404, ResolverMatch, resolve, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from relay_portal.access import dangers, enrolment, fresh_factor, networks, own_language
from relay_portal.access.hashers import PasswordsBusy
from relay_portal.access.session_age import is_fresh
from relay_portal.models import User

NextHandler = Callable[[HttpRequest], HttpResponse]

# By name, so that a new page is guarded until somebody writes it down here.
OPEN = frozenset({
    "two_factor:login", "two_factor:webauthn:get_credential", "two_factor:logout", "set_language",
    "health", "metrics", "unsubscribe", "two_factor:invitation", "two_factor:open_invitation",
    "two_factor:provider", "two_factor:provider_return", "two_factor:provider_ends",
})  # fmt: skip
# The provider has said who it is; their own second factor is asked here.
CONFIRM = "two_factor:confirm"
# What who came by an invitation may see, to get a second factor.
ENROLMENT = frozenset(
    {"two_factor:setup", "two_factor:qr", "two_factor:webauthn:create_credential"}
)

# What an open page asks by itself: it keeps no session alive.
POLLED = frozenset({"admin:home_figures"})


class Guard:
    def __init__(self, get_response: NextHandler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        match = _match(request)
        page = match.view_name if match else ""
        if page in OPEN:
            return self._next(request)
        user = request.user
        if not isinstance(user, User) or not is_fresh(request, is_used=page not in POLLED):
            return _to_login(request)
        own_language.speak(request, user)
        if networks.refuses(request, user):
            logout(request)
            return networks.refusal(request)
        # OTPMiddleware gives it
        if user.is_staff and user.is_verified():  # type: ignore[attr-defined]
            is_asked = match is not None and dangers.is_dangerous(match, request)
            if is_asked and not fresh_factor.is_fresh(request):
                return redirect(fresh_factor.asking(request))
            with timezone.override(user.zone):
                return self._next(request)
        if not user.is_staff:
            return _to_login(request)
        if enrolment.is_open(request):
            return self._next(request) if page in ENROLMENT else redirect("two_factor:setup")
        if enrolment.came_by_provider(request) and enrolment.factors(user):
            return self._next(request) if page == CONFIRM else _to_confirm(request)
        return _to_login(request)


class TryLater:
    """Answers 503 while enough passwords are looked at."""

    def __init__(self, get_response: NextHandler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._next(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, PasswordsBusy):
            return None
        return HttpResponse(
            _("Busy. Please try again in a few seconds."), status=503, headers={"Retry-After": "5"}
        )


class SecureCookies:
    """Cookies that were set over https go back over https only; over plain http (a first look on
    localhost) they work too.
    """

    def __init__(self, get_response: NextHandler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._next(request)
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response


def _match(request: HttpRequest) -> ResolverMatch | None:
    try:
        return resolve(request.path_info)
    except Resolver404:
        return None


def _to_confirm(request: HttpRequest) -> HttpResponse:
    place = request.get_full_path() if request.method == "GET" else reverse("admin:index")
    return redirect(f"{reverse(CONFIRM)}?{urlencode({'next': place})}")


def _to_login(request: HttpRequest) -> HttpResponse:
    # A stranger's session may hold a log-in half way through, in another tab.
    if request.user.is_authenticated:
        logout(request)
    return (
        redirect_to_login(request.get_full_path())
        if request.method == "GET"
        else redirect(settings.LOGIN_URL)
    )
