"""What a credential is used for, as a part of its page that keeps itself true: whether its first
message has come, its last use, and how much of its limits is used up.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from deliveries.models import Message
from deliveries.search.lookups import SearchScope, with_terms
from domains.models import Credential
from domains.operations.pages import Pages
from relay_portal.pages import mail_by_day
from smtp_listener.admission.used_limits import used_limits

NEWEST = 200  # messages of the project that are looked through before the index of terms is asked
LIMITS: tuple[tuple[str, Promise], ...] = (
    ("per_minute", _("Messages this minute")),
    ("per_day", _("Messages today (UTC)")),
    ("max_sessions", _("Open sessions")),
)


@never_cache
def fragment(request: HttpRequest, object_id: str) -> HttpResponse:
    row = credential_of(request, object_id)
    used = used_limits(row.pk, now=timezone.now())
    context: dict[str, Any] = {
        "row": row,
        "newest": newest_message(row),
        "days": mail_by_day.of_credential(row, now=timezone.now()),
        "limits": [
            (title, None if used is None else getattr(used, name), getattr(row, name))
            for name, title in LIMITS
        ],
    }
    return TemplateResponse(request, "domains/credential_use.html", context)


def credential_of(request: HttpRequest, object_id: str) -> Credential:
    """Return the row, where this person may see it."""
    pages = admin.site._registry[Credential]
    assert isinstance(pages, Pages)
    row: Credential = pages.seen_row(request, object_id)
    return row


def newest_message(row: Credential) -> Message | None:
    """Find it among the project's newest, else by the index of terms, which comes some seconds
    later.
    """
    newest = Message.objects.filter(project=row.project_id).order_by("-pk")
    ids = list(newest.values_list("pk", flat=True)[:NEWEST])
    found = Message.objects.filter(pk__in=ids, credential=row).order_by("-pk").first()
    if found is not None or len(ids) < NEWEST:
        return found
    known = with_terms([f"credential:{row.pk}"], SearchScope([row.project_id], None, None), most=1)
    return Message.objects.filter(pk__in=known).first()
