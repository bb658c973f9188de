"""What the page that finds messages keeps for a person: searches under names, and exports."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from deliveries.admin.finding import short_query
from deliveries.backends import job_queues
from deliveries.models import MessageExport, SavedSearch
from deliveries.search.narrowing import NAMES, in_own_zone
from domains.foundation import rights
from domains.foundation.text.texts import clean, storable
from domains.operations.own_projects import projects_of

SAVED_MOST = 50
NAME_MOST = 60
RUNNING_MOST = 3  # exports of one person at a time


class KeepsSearches:
    """Of the pages about messages: save, forget and export a search."""

    admin_site: Any  # of the pages that this is mixed into
    note: Any
    has_view_permission: Any

    def search_urls(self) -> list[URLPattern]:
        views = (
            ("save/", self.save_search, "save"),
            ("saved/<slug:object_id>/forget/", self.forget_search, "forget"),
            ("export/", self.export_search, "export"),
        )
        return [
            path(
                route,
                self.admin_site.admin_view(require_POST(view)),
                name=f"deliveries_message_{name}",
            )
            for route, view, name in views
        ]

    def save_search(self, request: HttpRequest) -> HttpResponse:
        """Save the search under a name; an older one of the same name is replaced."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = asked_for(request)
        name = clean(storable(request.POST.get("name", ""))).strip()[:NAME_MOST]
        owner = request.user.get_username()
        mine = SavedSearch.objects.filter(owner=owner)
        if not (name and asked):
            messages.error(request, gettext("Search for something, and give it a name."))
        elif mine.exclude(name=name).count() >= SAVED_MOST:
            messages.error(request, gettext("You have saved %d already.") % SAVED_MOST)
        else:
            row, is_new = SavedSearch.objects.update_or_create(
                owner=owner, name=name, defaults={"query": urlencode(asked)}
            )
            self.note(request, "add" if is_new else "change", row, details={"query": asked})
        return to_list(asked)

    def forget_search(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        mine = SavedSearch.objects.filter(owner=request.user.get_username())
        row = mine.filter(pk=object_id).first() if object_id.isdecimal() else None
        if row is None:
            raise Http404
        self.note(request, "delete", row, details={"query": row.query})
        row.delete()
        return to_list({})

    def export_search(self, request: HttpRequest) -> HttpResponse:
        if not rights.may(request.user, rights.EXPORT, "deliveries.message"):
            raise PermissionDenied
        owner, asked = request.user.get_username(), asked_for(request)
        running = MessageExport.objects.filter(created_by=owner, ended_at__isnull=True)
        if running.count() >= RUNNING_MOST:
            messages.error(request, gettext("Wait until one of your exports has ended."))
            return to_list(asked)
        row = MessageExport.objects.create(
            created_by=owner, query=asked, projects=projects_of(request)
        )
        self.note(request, "export", row, details={"query": asked})
        job_queues.call("deliveries.search.exporting.run", row.pk)
        return redirect("admin:deliveries_messageexport_change", row.pk)


def asked_for(request: HttpRequest) -> dict[str, str]:
    """Return the search that a form holds, as the page's address would: it means the same to who
    reads it in another time zone.
    """
    asked = {name: storable(request.POST.get(name, "")).strip()[:253] for name in NAMES}
    asked["q"] = short_query(request.POST.get("q", ""))
    return in_own_zone({name: value for name, value in asked.items() if value})


def to_list(asked: dict[str, str]) -> HttpResponse:
    query = f"?{urlencode(asked)}" if asked else ""
    return redirect(reverse("admin:deliveries_message_changelist") + query)


def saved_of(request: HttpRequest) -> list[SavedSearch]:
    return list(SavedSearch.objects.filter(owner=request.user.get_username())[:SAVED_MOST])
