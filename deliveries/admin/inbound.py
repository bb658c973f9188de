"""The portal's pages about mail that came to port 25."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from deliveries.admin.content import ShowsContent
from deliveries.models import Delivery, InboundKind, InboundMail
from deliveries.models.states import DeliveryState
from domains.foundation import rights
from domains.operations.pages import Pages, RowVerb
from domains.operations.privacy import REVEAL, RevealsAddresses
from suppressions.classes import MEANINGS

# What stands behind the colon of a finding, in English as `gettext` knows it.
WORDS: dict[str, str] = {
    "abuse": gettext_noop("reported as spam"),
    "fraud": gettext_noop("reported as fraud"),
    "opt-out": gettext_noop("wants no more of it"),
    "opt-out-list": gettext_noop("wants no more of it"),
    "unsubscribe": gettext_noop("wants no more of it"),
    "bounce": gettext_noop("a bounce"),
    "complaint": gettext_noop("a complaint"),
    **{state.value: state.name.capitalize() for state in DeliveryState},
    **{str(class_): meaning.title for class_, meaning in MEANINGS.items()},
}


def _may_be_shown(row: InboundMail) -> bool:
    delivery = _delivery_of(row)
    return delivery is None or delivery.project.shows_content


@admin.register(InboundMail)
class InboundMailPages(ShowsContent, RevealsAddresses, Pages):
    project_path = ""  # it has none of its own; the delivery has
    list_display = ("received", "kind", "mail_from", "short_finding", "handled_at")
    change_form_template = "deliveries/inbound_mail.html"
    has_history = False
    verbs: ClassVar[Sequence[RowVerb]] = (
        RowVerb("show_content", _("Show content"), "visibility", applies=_may_be_shown),
        REVEAL,
    )

    def of_projects(
        self, rows: QuerySet[InboundMail], projects: list[int]
    ) -> QuerySet[InboundMail]:
        theirs = Delivery.objects.filter(pk=OuterRef("delivery_id"), project__in=projects)
        return rows.filter(Exists(theirs))

    def data_of(self, row: InboundMail) -> bytes:
        return bytes(row.data)

    def addresses_of(self, row: InboundMail) -> list[str]:
        delivery = _delivery_of(row)
        return [each for each in (row.mail_from, delivery and delivery.recipient) if each]

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundMail]:
        rows = super().get_queryset(request)
        if not self.may(request, rights.SHOW_CONTENT):  # such a report is a copy of somebody's mail
            rows = rows.exclude(kind=InboundKind.FORENSIC)
        return (
            rows if request.resolver_match and request.resolver_match.kwargs else rows.defer("data")
        )

    def page_context(self, request: HttpRequest, row: InboundMail) -> dict[str, Any]:
        return {"delivery": _delivery_of(row), "finding": finding_text(row)}

    @display(description=_("received"))
    def received(self, row: InboundMail) -> Any:
        return row.received_at

    @display(description=_("finding"))
    def short_finding(self, row: InboundMail) -> str:
        return finding_text(row)[:120]


def finding_text(row: InboundMail) -> str:
    """Translate what was found, and the classes, states and kinds behind the colon; a reporter's
    own word stays.
    """
    head, colon, rest = row.finding.partition(": ")
    words = ", ".join(_shown(word) for word in rest.split(", "))
    return f"{gettext(head)}{colon}{words}" if head else ""


def _shown(word: str) -> str:
    """Return a class, a state or a kind of report in words; any other word as it is."""
    kind, _blank, more = word.partition(" (")
    known = WORDS.get(kind)
    return word if known is None else gettext(known) + (f" ({more}" if more else "")


def _delivery_of(row: InboundMail) -> Delivery | None:
    return Delivery.objects.filter(pk=row.delivery_id).first() if row.delivery_id else None
