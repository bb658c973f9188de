"""The portal's pages about what receivers ask for."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from deliveries.authentication import demands
from deliveries.models import ReceiverDemand
from domains.operations.pages import Pages, RowVerb


@admin.register(ReceiverDemand)
class ReceiverDemandPages(Pages):
    """Each change is in the row's history; a shipped demand can go back to what is shipped."""

    list_display = ("name", "receiver", "measure", "limit", "asked_from", "read_on")
    search_fields = ("name", "receiver")
    search_help_text = _("Receiver")
    fields = (
        "name", "receiver", "measure", "limit", "asked_from", "since", "source", "read_on",
        "is_asked",
    )  # fmt: skip
    readonly_fields = ("name", "receiver", "measure")
    verbs = (
        RowVerb(
            "reset",
            _("Reset to shipped"),
            "restart_alt",
            _("What was changed here is replaced by the figures that are shipped."),
            lambda row: row.is_shipped and row.is_edited,
        ),
    )

    def save_model(
        self, request: HttpRequest, obj: ReceiverDemand, form: Any, change: bool
    ) -> None:
        demands.save(obj, form.changed_columns())

    def reset(self, request: HttpRequest, row: ReceiverDemand) -> str:
        demands.reset(row)
        return gettext("What is shipped applies again.")
