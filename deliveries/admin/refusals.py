"""The portal's page about what apps were refused."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from deliveries.models import Refusal
from deliveries.search.inputs import ClueKind, understood
from domains.operations.pages import Pages
from domains.operations.privacy import REVEAL, RevealsAddresses


@admin.register(Refusal)
class RefusalPages(RevealsAddresses, Pages):
    """Found by recipient."""

    project_path = "project"
    list_display = ("when", "recipient", "mail_from", "project", "credential_id", "answer")
    list_select_related = ("project",)
    search_fields = ("pk",)
    search_help_text = _("Recipient")
    has_history = False
    verbs = (REVEAL,)

    def addresses_of(self, row: Refusal) -> list[str]:
        return [row.recipient]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Refusal], search_term: str
    ) -> tuple[QuerySet[Refusal], bool]:
        if not search_term:
            return queryset, False
        # As it is understood by the page that finds messages, which leads here.
        meant = understood(search_term)
        keys = [
            clue.value for clue in (*meant.exact, *meant.loose) if clue.kind == ClueKind.ADDRESS
        ]
        return queryset.filter(recipient_key__in=keys or [search_term.strip().lower()]), False

    @display(description=_("at"))
    def when(self, row: Refusal) -> Any:
        return row.at

    @display(description=_("answer"))
    def answer(self, row: Refusal) -> str:
        return str(row)
