"""The portal's pages about what the sandbox MX has taken."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import BinaryField, QuerySet
from django.db.models.functions import Substr
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from deliveries.bounces import return_path
from deliveries.bounces.keys import return_path_key
from deliveries.message.readable import read
from deliveries.models import Delivery
from domains.foundation import rights
from domains.operations.pages import Pages
from smtp_listener.models import SandboxMessage
from smtp_listener.sandbox.answers import RULES

BEGINNING = 16_384  # bytes of a message, in which its subject stands


@admin.register(SandboxMessage)
class SandboxPages(Pages):
    """Text is shown as text, and HTML not at all."""

    project_path = ""  # it has none of its own; the return path names the delivery, which has
    list_display = ("recipient", "subject", "tls", "received_at")
    list_before_template = "smtp_listener/sandbox_rules.html"
    change_form_template = "smtp_listener/sandbox_message.html"
    has_history = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[SandboxMessage]:
        """Read as much of each as holds its subject: a page of whole messages is a gigabyte."""
        rows: QuerySet[SandboxMessage] = super().get_queryset(request)
        return rows.annotate(
            beginning=Substr("data", 1, BEGINNING, output_field=BinaryField())
        ).defer("data")

    def of_projects(
        self, rows: QuerySet[SandboxMessage], projects: list[int]
    ) -> QuerySet[SandboxMessage]:
        """Keep the messages whose delivery is of these projects; the sandbox has a few hundred, and
        all are looked at.
        """
        named = {
            pk: delivery
            for pk, mail_from in rows.values_list("pk", "mail_from")
            if (delivery := _delivery_id(mail_from))
        }
        theirs = set(
            Delivery.objects.filter(pk__in=named.values(), project__in=projects).values_list(
                "pk", flat=True
            )
        )
        return rows.filter(pk__in=[pk for pk, delivery in named.items() if delivery in theirs])

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        # Unfold publishes no types
        return super().changelist_view(request, {"rules": RULES.values(), **(extra_context or {})})

    def page_context(self, request: HttpRequest, row: SandboxMessage) -> dict[str, Any]:
        reading = read(bytes(row.data)) if self._may_read(request, row) else None
        return {"reading": reading, "delivery": _delivery_of(row)}

    def _may_read(self, request: HttpRequest, row: SandboxMessage) -> bool:
        """Tell whether the person may; what apps under test send is looked at without a note."""
        delivery = _delivery_of(row)
        is_open = delivery is None or delivery.project.shows_content
        return is_open and self.may(request, rights.SHOW_CONTENT)

    @display(description=_("subject"))  # type: ignore[untyped-decorator]  # as above
    def subject(self, row: SandboxMessage) -> str:
        return read(bytes(row.beginning)).subject or "–"  # type: ignore[attr-defined]  # annotated


def _delivery_id(mail_from: str) -> UUID | None:
    try:
        return return_path.parse(
            mail_from.partition("@")[0], key=return_path_key(), now=timezone.now()
        )
    except return_path.ForgedReturnPath:
        return None


def _delivery_of(row: SandboxMessage) -> Delivery | None:
    delivery = _delivery_id(row.mail_from)
    return Delivery.objects.filter(pk=delivery).first() if delivery else None
