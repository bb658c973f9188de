"""The portal's pages about what made its loop fail: the traceback, and the choice to try again or
to give it up.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from deliveries.jobs import giving_up
from domains.models import SetAside
from domains.operations.pages import Pages, RowVerb


@admin.register(SetAside)
class SetAsidePages(Pages):
    """For operators: the items belong to no project."""

    fields = (
        "kind",
        "key",
        "failures",
        "first_failed_at",
        "last_failed_at",
        "retry_at",
        "set_aside_at",
        "told",
    )
    readonly_fields = fields
    list_display = ("name", "failures", "last_failed_at", "is_aside")
    verbs = (
        RowVerb("try_again", _("Try again"), "refresh",
            applies=lambda row: row.kind in giving_up.AGAIN),
        RowVerb(
            "drop", _("Give it up"), "delete", _("What was to be done with it is done no more."),
            lambda row: row.kind in giving_up.DROP, asks_reason=True,
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return (
            rows
            if request.resolver_match and request.resolver_match.kwargs
            else rows.defer("traceback")
        )

    def try_again(self, request: HttpRequest, row: SetAside) -> HttpResponse:
        self.note(request, "try_again", row)
        giving_up.try_again(row)
        messages.success(request, gettext("It is tried again."))
        return redirect(f"admin:{self._name('changelist')}")

    def drop(self, request: HttpRequest, row: SetAside) -> HttpResponse:
        self.note(request, "drop", row, details={"traceback": row.traceback[-2000:]})
        giving_up.drop(row)
        messages.success(request, gettext("Given up."))
        return redirect(f"admin:{self._name('changelist')}")

    @display(description=_("item"))
    def name(self, row: SetAside) -> str:
        return str(row)

    @display(description=_("put aside"), boolean=True)
    def is_aside(self, row: SetAside) -> bool:
        return row.set_aside_at is not None

    @display(description=_("traceback"))
    def told(self, row: SetAside) -> SafeString:
        return format_html('<pre class="portal-pre">{}</pre>', row.traceback)
