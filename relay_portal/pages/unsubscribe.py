"""The public page behind List-Unsubscribe: one POST and it is done, without a log-in and without a
cookie (RFC 8058).
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotFound
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from redis.exceptions import RedisError

from deliveries.backends import job_queues
from deliveries.intake import unsubscribing
from domains.foundation.secrets.tokens import ForgedToken
from domains.models import Project
from domains.operations.pages import client_address

# wrong tokens from one address in a minute; right ones are never refused: Google sends all its
# users' from a few addresses
GUESSES = 20
MINUTE = 60


# The request comes from a mail provider, with no page of ours before it; the token is the proof
# (RFC 8058, section 3.2).
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask at GET and unsubscribe at POST: programs that look at links must not unsubscribe anybody
    (RFC 8058, section 1).
    """
    try:
        wish = unsubscribing.read(token)
    except ForgedToken:
        return _wrong(request)
    project = Project.objects.filter(pk=wish.project_id).first()
    if project is None:
        return _wrong(request)
    context = {"title": _("Unsubscribe"), "address": wish.address_key, "project": project}
    if request.method == "POST":
        if request.POST.get("List-Unsubscribe") != "One-Click":
            return HttpResponseBadRequest(
                "List-Unsubscribe=One-Click is expected (RFC 8058)\n", content_type="text/plain"
            )
        unsubscribing.unsubscribe(wish, client=client_address(request))
        context["is_done"] = True
    return TemplateResponse(request, "portal/unsubscribe.html", context)


def _wrong(request: HttpRequest) -> HttpResponse:
    if _guesses(client_address(request) or "-") > GUESSES:
        return HttpResponse(
            "Too many wrong links, try again later\n", status=429, content_type="text/plain"
        )
    return HttpResponseNotFound("There is no such link\n", content_type="text/plain")


def _guesses(client: str) -> int:
    """Count a client's guesses in this minute; 0 without Valkey, since no number of guesses finds a
    token.
    """
    key = f"ekiden:unsubscribe:{client}"
    try:
        with job_queues.connect(patience=2) as valkey, valkey.pipeline() as pipe:
            pipe.incr(key)
            pipe.expire(key, MINUTE, nx=True)
            return int(pipe.execute()[0])
    except (RedisError, OSError):
        return 0
