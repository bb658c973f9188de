"""Log-in, and a person's own second factors: two_factor's views, narrowed to what the password
alone may do.
"""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import logout
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST
from django_otp.models import Device
from two_factor.forms import MethodForm
from two_factor.plugins.registry import registry
from two_factor.views import BackupTokensView, LoginView, ProfileView, SetupView
from unfold.forms import AuthenticationForm

from domains.foundation.text.texts import storable
from domains.operations import audit
from domains.operations.pages import client_address
from relay_portal.access import (
    enrolment,
    fresh_factor,
    known_devices,
    networks,
    own_sessions,
    own_time_zone,
    recovery_codes,
)
from relay_portal.access.enrolment import factors
from relay_portal.models import User

NAMES = {"generator": gettext_lazy("Authenticator app"), "webauthn": gettext_lazy("Passkey")}
STRANGER, INSIDER = "unfold/layouts/unauthenticated.html", "admin/base_site.html"


class PortalView:
    """Gives two_factor's pages the portal's looks: its frame for who is in, a plain one for who is
    not yet.
    """

    request: HttpRequest
    title: str

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        layout = INSIDER if admin.site.has_permission(self.request) else STRANGER
        given = {**admin.site.each_context(self.request), "layout": layout}
        # a mixin before Django's views
        return {**given, **super().get_context_data(**kwargs)}  # type: ignore[misc]


class PasswordForm(AuthenticationForm):  # type: ignore[misc]  # Unfold publishes no types
    """Says what is wrong as this portal calls it."""

    error_messages: ClassVar[dict[str, Any]] = {
        **AuthenticationForm.error_messages,
        "invalid_login": gettext_lazy("The user name or the password is wrong."),
    }


class CodeSteps:
    """Calls what an app shows a code, on each step that asks for one."""

    def get_form(self, *args: Any, **kwargs: Any) -> Any:
        # a mixin before two_factor's wizards
        form = super().get_form(*args, **kwargs)  # type: ignore[misc]
        for name in {"token", "otp_token"} & form.fields.keys():
            form.fields[name].label = _("Code")
        return form


class LogIn(PortalView, CodeSteps, LoginView):  # type: ignore[misc]  # two_factor publishes no types
    """Password, then second factor, then a new session key.

    Who has none needs an invitation: a password alone gets nobody a second factor.
    """

    template_name = "account/login.html"
    form_list = (
        (LoginView.AUTH_STEP, PasswordForm),
        *LoginView.form_list[1:],
    )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        given = {"provider_next": urlencode({"next": self.request.GET.get("next", "")})}
        return {**super().get_context_data(**kwargs), **given}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Store no session for whoever has shown no right password: the wizard begins one at each
        visit, also a scanner's.
        """
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        if isinstance(response, TemplateResponse):
            # The template looks at the wizard, which counts as a change.
            response.add_post_render_callback(self._forget_stranger)
        else:
            self._forget_stranger(response)
        return response

    def _forget_stranger(self, response: HttpResponse) -> None:
        if self.request.session.session_key is None and not self.storage.authenticated_user:
            self.request.session.modified = False

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Refuse other networks before the password is looked at.

        Who asks for a device's challenge before a password was right, which two_factor takes for a
        user's, is sent back.
        """
        tried = self.request.POST.get("auth-username")
        known = User.objects.filter(username=storable(tried)).first() if tried else None
        if networks.refuses(self.request, known or self.storage.authenticated_user):
            return networks.refusal(self.request)
        if "challenge_device" in self.request.POST and not self.storage.authenticated_user:
            return redirect("two_factor:login")
        return super().post(*args, **kwargs)  # type: ignore[no-any-return]  # as above

    def done(self, form_list: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().done(form_list, **kwargs)
        user = self.get_user()
        if not getattr(user, "otp_device", None):
            logout(self.request)
            messages.error(
                self.request,
                _("This account has no second factor yet: ask an owner for an invitation."),
            )
            return redirect("two_factor:login")
        known_devices.remember(response, user)
        own_sessions.note_origin(self.request)
        fresh_factor.note(self.request)
        return response


class Methods(MethodForm):  # type: ignore[misc]  # two_factor publishes no types
    """The kinds of second factor, as people call them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields["method"].label = _("Second factor")
        self.fields["method"].choices = [
            (method.code, NAMES[method.code]) for method in registry.get_methods()
        ]


class SetUp(PortalView, CodeSteps, SetupView):  # type: ignore[misc]  # two_factor publishes no types
    """The first second factor, by an invitation; every further one, once the first has been
    verified.
    """

    template_name = "account/setup.html"
    form_list = (("method", Methods),)  # the method's own steps follow

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.storage.reset()
        self.storage.current_step = self.steps.first
        return self.render(self.get_form())  # type: ignore[no-any-return]  # as above

    @transaction.atomic
    def done(self, form_list: Any, **kwargs: Any) -> HttpResponse:
        user: Any = self.request.user  # a User, made more by OTPMiddleware
        is_first = not user.is_verified()
        if is_first:
            if not enrolment.use_up(self.request):
                logout(self.request)
                return redirect("two_factor:login")
            User.objects.filter(pk=user.pk).update(enrolled_at=timezone.now())
        response: HttpResponse = super().done(form_list, **kwargs)
        self.request.session.cycle_key()
        own_sessions.note_origin(self.request)
        if is_first:
            fresh_factor.note(self.request)
        note(self.request, "set_up_factor")
        messages.success(self.request, _("The second factor is set up."))
        answer = redirect("two_factor:backup_tokens") if is_first else response
        known_devices.remember(answer, user)
        return answer

    def get_success_url(self) -> str:
        return "two_factor:profile"


class Profile(PortalView, ProfileView):  # type: ignore[misc]  # two_factor publishes no types
    template_name = "account/profile.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        given = {
            "title": _("Account security"),
            "devices": [_described(device) for device in factors(self.request.user)],
            "are_used": recovery_codes.are_used(self.request.user),
            "sessions": own_sessions.sessions_of(self.request),
            "zones": own_time_zone.zones(),
            "usual_zone": settings.TIME_ZONE,
        }
        return {**super().get_context_data(**kwargs), **given}


# two_factor publishes no types
class RecoveryCodes(PortalView, BackupTokensView):  # type: ignore[misc]
    """Shown once, when they are made; each works once."""

    template_name = "account/recovery_codes.html"

    def get_device(self) -> Any:
        return recovery_codes.device_of(self.request.user)

    def form_valid(self, form: Any) -> HttpResponse:
        codes = recovery_codes.make(self.get_device(), self.number_of_tokens)
        note(self.request, "make_recovery_codes")
        sheet = recovery_codes.sheet(codes, self.request.user.get_username())
        given = self.get_context_data(form=form, codes=codes, sheet=sheet)
        return self.render_to_response(given)  # type: ignore[no-any-return]  # as above

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        given = {
            "title": _("Recovery codes"),
            "left": self.get_device().token_set.count(),
            "are_used": recovery_codes.are_used(self.request.user),
        }
        return {**super().get_context_data(**kwargs), **given}


@require_POST
@transaction.atomic
def remove_factor(request: HttpRequest, factor: str) -> HttpResponse:
    """Take one away, as long as another remains: an account without any could be taken over by its
    password.
    """
    User.objects.select_for_update().get(pk=request.user.pk or 0)  # one request at a time
    having = factors(request.user)
    removed = next(
        (device for device in having if secrets.compare_digest(device.persistent_id, factor)), None
    )
    if removed is None:
        raise Http404
    if len(having) == 1:
        messages.error(request, _("This is the only second factor; add another one first."))
    else:
        removed.delete()
        note(request, "remove_factor")
        messages.success(request, _("The second factor is removed."))
    return redirect("two_factor:profile")


@require_POST
def end_sessions(request: HttpRequest, name: str = "") -> HttpResponse:
    """End one of the person's own other sessions, or all of them; what is gone already is no
    mistake.
    """
    amount = own_sessions.end_other_sessions(request, name)
    if amount:
        note(request, "end_sessions")
    messages.success(request, ngettext("%d session ended.", "%d sessions ended.", amount) % amount)
    return redirect("two_factor:profile")


def note(request: HttpRequest, action: str) -> None:
    """Write down what a person did to their own account."""
    name = request.user.get_username()
    audit.note(
        name, action, User.objects.get(username=name), client_address=client_address(request)
    )


def _described(device: Device) -> dict[str, Any]:
    kind = registry.method_from_device(device).code
    return {
        "id": device.persistent_id,
        "icon": "passkey" if kind == "webauthn" else "timer",
        "name": NAMES[kind],
        "created_at": getattr(device, "created_at", None),
        "last_used_at": getattr(device, "last_used_at", None),
    }
