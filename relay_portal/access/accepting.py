"""The page of an invitation: whoever holds its link chooses a password, and goes on to the second
factor at once.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from domains.operations import audit
from domains.operations.pages import client_address
from relay_portal.access import invitations, networks
from relay_portal.access.password_forms import ChosenPassword

GONE = 410
OFFERED = "portal_offered"  # in the session of a stranger who came by a good link
BACKEND = "django.contrib.auth.backends.ModelBackend"


@never_cache
@require_safe
def open_invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Take the secret out of the address at once: no log, history or referrer shall keep it."""
    found = invitations.find(invitations.hashed(token))
    request.session.pop(OFFERED, None)
    if found is not None:
        request.session[OFFERED] = found.token_hash
    return redirect("two_factor:invitation")


@never_cache
@sensitive_post_parameters()
def invitation(request: HttpRequest) -> HttpResponse:
    """Let a person who has the link, and no log-in yet, choose a password.

    The link works until a second factor is enrolled, so that nobody is stranded half way.
    """
    found = invitations.find(request.session.get(OFFERED, ""))
    context: dict[str, Any] = {**admin.site.each_context(request), "title": _("Invitation")}
    if found is None:
        return TemplateResponse(request, "account/invitation.html", context, status=GONE)
    form = ChosenPassword(found.user, request.POST if request.method == "POST" else None)
    if networks.refuses(request, found.user):
        return networks.refusal(request)
    if request.method == "POST" and form.is_valid():
        user = form.save()
        audit.note(user.get_username(), "accept", user, client_address=client_address(request))
        login(request, user, backend=BACKEND)
        request.session[invitations.IN_SESSION] = found.token_hash
        return redirect("two_factor:setup")
    context |= {"invitation": found, "person": found.user, "form": form}
    return TemplateResponse(request, "account/invitation.html", context)
