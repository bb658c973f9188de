"""To the provider and back, and out again."""

from __future__ import annotations

import logging
from typing import Any

from authlib.common.urls import add_params_to_uri
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import login, logout
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from django_otp import login as verify

from domains.foundation.text.texts import quoted
from domains.operations import audit
from domains.operations.pages import client_address
from relay_portal.access import fresh_factor, known_sessions, networks, own_sessions
from relay_portal.access.accepting import BACKEND
from relay_portal.access.confirming import next_place
from relay_portal.access.known_sessions import FROM_PROVIDER
from relay_portal.models import ProviderIdentity, User
from relay_portal.openid import pending, people, provider, tokens
from relay_portal.openid.pending import PendingLogIn
from relay_portal.openid.provider import Json, ProviderError

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def begin(request: HttpRequest) -> HttpResponse:
    """Send the browser to the provider; with `again`, one who is in already, to show once more
    who they are.
    """
    if not provider.is_configured():
        raise Http404
    is_again = "again" in request.GET and request.user.is_authenticated
    begun = PendingLogIn(next=next_place(request), again=(request.user.pk or 0) if is_again else 0)
    asked = {"state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier}
    if is_again:
        asked |= {"prompt": "login", "max_age": "0"}
    if classes := tokens.wanted_classes():
        asked["acr_values"] = classes
    try:
        answer = redirect(provider.authorization_url(_return_address(request), **asked))
    except ProviderError as error:
        return _failed(request, error)
    pending.keep(answer, begun)
    return answer


@never_cache
@require_safe
def come_back(request: HttpRequest) -> HttpResponse:
    """Judge the provider's answer; the browser brings it."""
    begun = pending.of(request) if provider.is_configured() else None
    try:
        if begun is None:
            raise ProviderError(
                _("This log-in was begun in another browser, or too long ago. Begin again.")
            )
        claims, id_token = _claims(request, begun)
        answer = (
            _confirmed(request, begun, claims)
            if begun.again
            else _admitted(request, begun, claims, id_token)
        )
    except ProviderError as error:
        answer = _failed(request, error)
    pending.forget(answer)
    return answer


def log_out(request: HttpRequest) -> HttpResponse:
    """Log out here, and at the provider where the session came from it."""
    log_in = request.session.get(FROM_PROVIDER)
    logout(request)
    if not log_in or not provider.is_configured():
        return redirect("two_factor:login")
    try:
        endpoint = provider.metadata().get("end_session_endpoint")
    except ProviderError as error:
        messages.warning(request, _("You are logged out here, but perhaps not there. %s") % error)
        return redirect("two_factor:login")
    if not endpoint:
        return redirect("two_factor:login")
    asked = {
        "id_token_hint": log_in["id_token"],
        "client_id": settings.EKIDEN_OPENID_CLIENT_ID,
        "post_logout_redirect_uri": _address(request, "two_factor:login"),
    }
    there = add_params_to_uri(endpoint, asked)
    context = {**admin.site.each_context(request), "there": there, "provider": provider.name()}
    # Not a redirect: browsers let a form lead to another origin only where the policy names it.
    return TemplateResponse(
        request, "account/leaving.html", context, headers={"Refresh": f"0; url={there}"}
    )


# The provider's server calls it, without a cookie of ours: its signed token is the proof.
@csrf_exempt
@never_cache
@require_POST
def end_sessions(request: HttpRequest) -> HttpResponse:
    """End what the provider says has ended (OpenID Connect Back-Channel Logout 1.0)."""
    if not provider.is_configured():
        raise Http404
    try:
        subject, session = tokens.told_to_end(request.POST.get("logout_token", ""))
    except ProviderError as error:
        logger.warning("event=openid-log-out-refused why=%s", quoted(str(error)))
        problem = {"error": "invalid_request", "error_description": str(error)}
        return JsonResponse(problem, status=400)
    for user, amount in known_sessions.end_those_from_provider(subject, session).items():
        details = {"sessions": amount}
        audit.note(user.username, "ended_by_provider", user, details=details)
    return HttpResponse()


def _claims(request: HttpRequest, begun: PendingLogIn) -> tuple[Json, str]:
    """Return what is proven of the person, with what the provider's page about them adds."""
    said = request.GET
    if "error" in said:
        raise ProviderError(provider.refused(said["error"], said.get("error_description", "")))
    if said.get("iss", settings.EKIDEN_OPENID_ISSUER) != settings.EKIDEN_OPENID_ISSUER:  # RFC 9207
        raise ProviderError(_("The answer comes from another provider than EKIDEN_OPENID_ISSUER."))
    code = said.get("code", "")
    got = provider.exchange(code, _return_address(request), verifier=begun.verifier)
    claims = tokens.verified(got.id_token, nonce=begun.nonce)
    if settings.EKIDEN_OPENID_GROUPS not in claims:
        more = provider.about_person(got.access_token)
        if more and more.get("sub") != claims["sub"]:
            raise ProviderError(_("The provider's answer names two people. Begin again."))
        claims = {**more, **claims}
    return claims, got.id_token


def _admitted(
    request: HttpRequest, begun: PendingLogIn, claims: Json, id_token: str
) -> HttpResponse:
    groups = people.groups_of(claims, settings.EKIDEN_OPENID_GROUPS)
    user = people.admit(claims, groups, client_address=client_address(request))
    if user is None:
        raise ProviderError(
            _("No group of yours may use this portal (%s). Ask an owner to map one of them.")
            % (", ".join(groups) or _("the provider names none"))
        )
    if not user.is_active:
        raise ProviderError(_("This account is switched off here. Ask an owner."))
    if networks.refuses(request, user):
        raise ProviderError(networks.sentence(request))
    login(request, user, backend=BACKEND)
    request.session[FROM_PROVIDER] = {
        "subject": claims["sub"], "sid": str(claims.get("sid") or ""), "id_token": id_token,
    }  # fmt: skip
    own_sessions.note_origin(request)
    has_factor = tokens.has_second_factor(claims)
    details = {"amr": claims.get("amr"), "acr": claims.get("acr"), "second_factor": has_factor}
    _note(request, user, "log_in_by_provider", details)
    if has_factor:
        _verify(request, user)
    # Without it the gate asks for a factor of our own.
    return redirect(begun.next or "admin:index")


def _confirmed(request: HttpRequest, begun: PendingLogIn, claims: Json) -> HttpResponse:
    """Take the provider's word that the person who is in has just shown who they are."""
    is_same = ProviderIdentity.objects.filter(
        user=begun.again, issuer=claims["iss"], subject=claims["sub"]
    ).exists()
    if request.user.pk != begun.again or not is_same:
        raise ProviderError(_("Somebody else has logged in at the provider. Begin again."))
    tokens.check_is_new(claims, since=begun.begun_at)
    if not tokens.has_second_factor(claims):
        raise ProviderError(_("The provider did not ask for a second factor. Begin again."))
    assert isinstance(request.user, User)
    _verify(request, request.user)
    return redirect(begun.next or "admin:index")


def _verify(request: HttpRequest, user: User) -> None:
    verify(request, ProviderIdentity.objects.get(user=user))
    fresh_factor.note(request)


def _note(request: HttpRequest, user: User, action: str, details: dict[str, Any]) -> None:
    audit.note(user.username, action, user, details=details, client_address=client_address(request))


def _failed(request: HttpRequest, error: ProviderError) -> HttpResponse:
    logger.warning(
        "event=openid-failed client=%s why=%s", client_address(request), quoted(str(error))
    )
    messages.error(request, str(error))
    if getattr(request.user, "otp_device", None):
        return redirect("admin:index")
    return redirect("two_factor:login")


def _return_address(request: HttpRequest) -> str:
    return _address(request, "two_factor:provider_return")


def _address(request: HttpRequest, page: str) -> str:
    """Return the address as the provider has it registered."""
    base = settings.EKIDEN_PUBLIC_URL
    path = reverse(page)
    return f"{base.rstrip('/')}{path}" if base else request.build_absolute_uri(path)
