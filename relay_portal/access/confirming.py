"""The second factor alone: after a log-in by the provider that asked for none, and once more
before what is dangerous.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django_otp import login as verify
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice
from two_factor.forms import BackupTokenForm
from two_factor.plugins.registry import registry

from relay_portal.access import fresh_factor
from relay_portal.access.account import NAMES
from relay_portal.access.enrolment import factors
from relay_portal.models import ProviderIdentity, User

RECOVERY = "recovery"


@never_cache
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for a factor; go on to `next` then."""
    user = request.user
    assert isinstance(user, User)
    place = next_place(request) or reverse("admin:index")
    if isinstance(user.otp_device, ProviderIdentity):  # type: ignore[attr-defined]  # OTPMiddleware
        query = urlencode({"again": "", "next": place})
        return redirect(f"{reverse('two_factor:provider')}?{query}")
    own = {registry.method_from_device(device).code: device for device in factors(user)}
    method: str = request.GET.get("with", "")
    if method not in (*own, RECOVERY):
        method = next(iter(own), RECOVERY)
    recovery = StaticDevice.objects.filter(user=user).first()
    form = _form(request, own.get(method, recovery), method)
    if request.method == "POST" and form.is_valid():
        verify(request, user.otp_device)  # type: ignore[attr-defined]  # the form has put it there
        request.session.cycle_key()
        fresh_factor.note(request)
        return redirect(place)
    others: list[tuple[str, Any]] = [(code, NAMES[code]) for code in own if code != method]
    if method != RECOVERY and recovery is not None and recovery.token_set.exists():
        others.append((RECOVERY, _("Recovery code")))
    context = {
        **admin.site.each_context(request),
        "title": _("Confirm that it is you"),
        "form": form,
        "is_passkey": method == "webauthn",
        "others": [(urlencode({"with": code, "next": place}), name) for code, name in others],
    }
    return TemplateResponse(request, "account/confirm.html", context)


@never_cache
def repeat(request: HttpRequest) -> HttpResponse:
    """Show a button that does what the person began before they were asked."""
    act = fresh_factor.take_act(request)
    if act is None:
        return redirect("admin:index")
    place, fields = act
    context = {
        **admin.site.each_context(request),
        "title": _("Go on"),
        "place": place,
        "fields": fields,
    }
    return TemplateResponse(request, "account/repeat.html", context)


def _form(request: HttpRequest, device: Device | None, method: str) -> Any:
    """Return two_factor's own form for this kind of factor, which counts wrong codes."""
    kind: Any = BackupTokenForm
    if method != RECOVERY and device is not None:
        kind = registry.method_from_device(device).get_token_form_class()
    given: dict[str, Any] = {"user": request.user, "initial_device": device, "prefix": "token"}
    if "request" in signature(kind).parameters:
        given["request"] = request
    # A passkey signs a challenge of ours; without one there is nothing to look at.
    is_asked = "request" not in given or "webauthn_request_challenge" in request.session
    if request.method == "POST" and is_asked:
        given["data"] = request.POST
    return kind(**given)


def next_place(request: HttpRequest) -> str:
    """Return where to go afterwards, within the portal; "" where nothing of ours is named."""
    wanted = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else ""
