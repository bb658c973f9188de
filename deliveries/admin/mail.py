"""The portal's pages about messages and deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from deliveries.admin.alignment import alignment_of
from deliveries.admin.content import SHOW_CONTENT, ShowsContent
from deliveries.admin.delivery_list import uuid_of
from deliveries.admin.finding import MessageList, MessageSearch, box, finding_of
from deliveries.admin.mail_addresses import SHOWN_MOST, RevealsRecipients, show_senders
from deliveries.admin.saved_searches import KeepsSearches, asked_for, saved_of, to_list
from deliveries.insight import transcripts
from deliveries.insight.looked_up import LookedUp
from deliveries.insight.suppressed import suppressed_now
from deliveries.insight.tracing import stops_of, why_waiting
from deliveries.models import Delivery, Message, Order, Resending
from deliveries.search.inputs import ClueKind
from deliveries.search.narrowing import MATCHED_MOST, narrow
from domains.foundation import rights
from domains.operations.pages import Pages, RowVerb
from domains.operations.privacy import REVEAL, show_plainly


@admin.register(Message)
class MessagePages(ShowsContent, RevealsRecipients, KeepsSearches, Pages):
    """Found by whatever names it (`deliveries.search`).

    The list holds customers' mail, none of our reports.
    """

    project_path = "project"
    list_display = ("accepted", "about", "sender", "states", "project")
    list_display_links = ("accepted", "about")
    list_select_related = ("project",)
    list_before_template = "deliveries/find.html"
    search_help_text = _("Recipient, sender, words of a subject, or any id")
    change_form_template = "deliveries/message.html"
    verbs: ClassVar[Sequence[RowVerb]] = (
        SHOW_CONTENT,
        REVEAL,
        RowVerb(
            "resend",
            _("Resend to another address"),
            "forward_to_inbox",
            applies=lambda row: row.origin == Message.Origin.SUBMISSION,
        ),
        RowVerb(
            "note_next",
            _("Note the next SMTP dialogue"),
            "forum",
            applies=lambda row: Delivery.objects.live().filter(message=row).exists(),
        ),
    )
    has_history = False

    def resend(self, request: HttpRequest, row: Message) -> HttpResponse:
        """Lead to the page that asks to whom; what is done there is written down there."""
        return redirect("admin:deliveries_message_resend", row.pk)

    def note_next(self, request: HttpRequest, row: Message) -> str:
        waiting = Delivery.objects.live().filter(message=row)[:SHOWN_MOST]
        transcripts.request(waiting, by=request.user.get_username())
        return gettext("What is said at the next attempt will stand here.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        return super().get_queryset(request).prefetch_related("deliveries")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        finding = finding_of(request)
        if finding.narrowing:
            queryset, is_cut = narrow(
                queryset, finding.narrowing, finding.narrowing.scope(finding.projects)
            )
            finding.shown_most = finding.shown_most or (MATCHED_MOST if is_cut else 0)
        if finding.ids is None:
            return queryset.exclude(origin=Message.Origin.REPORT), False
        return queryset.filter(pk__in=finding.ids), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[MessageList]:
        return MessageList

    def get_urls(self) -> list[URLPattern]:
        find = path("find/", self.admin_site.admin_view(self.find), name=self._name("find"))
        return [find, *self.search_urls(), *super().get_urls()]

    def find(self, request: HttpRequest) -> HttpResponse:
        """Take whatever was pasted, however long, and lead to a list whose address holds it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return to_list(asked_for(request))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        finding = finding_of(request)
        if finding.ids and len(finding.ids) == 1 and not finding.narrowing:
            for text in finding.taken_for:
                messages.info(request, gettext("Found: what you gave was taken for %s.") % text)
            return redirect(_page_of(finding))
        kept = {
            "saved": saved_of(request),
            "may_export": rights.may(request.user, rights.EXPORT, "deliveries.message"),
        }
        given = {**box(request), **kept, **(extra_context or {})}
        response: Any = super().changelist_view(request, given)
        if listed := (getattr(response, "context_data", None) or {}).get("cl"):
            show_plainly(request, *(row.mail_from for row in listed.result_list))
        return response  # type: ignore[no-any-return]  # Unfold publishes no types

    def page_context(self, request: HttpRequest, row: Message) -> dict[str, Any]:
        show_senders(request, row)
        deliveries = _deliveries_of(row, uuid_of(request.GET.get("delivery", "")))
        has_more = len(deliveries) > SHOWN_MOST
        deliveries = deliveries[:SHOWN_MOST]
        is_live = any(each.is_live for each in deliveries)
        may_act = is_live and rights.may(request.user, rights.ADD, "deliveries.order")
        resent_as = Resending.objects.filter(original=row).select_related("message")
        return {
            "deliveries": _shown(request, deliveries),
            "alignment": alignment_of(row),
            "has_more": has_more,
            "may_see_domains": rights.may(request.user, rights.SEE, "domains.domain"),
            "may_see_lanes": rights.may(request.user, rights.SEE, "deliveries.lane"),
            "may_resend": rights.may(request.user, "resend", "deliveries.message"),
            "may_suppress": rights.may(request.user, rights.ADD, "suppressions.suppression"),
            "resent_from": Resending.objects.filter(message=row).first(),
            "resent_as": resent_as.order_by("pk"),
            "verbs_for_live": Order.Verb.choices if may_act else [],
        }

    @display(description=_("accepted"))
    def accepted(self, row: Message) -> Any:
        return row.accepted_at

    @display(description=_("subject"))
    def about(self, row: Message) -> str:
        return row.subject or "–"

    @display(description=_("reverse-path"))
    def sender(self, row: Message) -> str:
        return row.mail_from or "<>"

    @display(description=_("recipients"))
    def states(self, row: Message) -> SafeString:
        """Show the first two recipients with their states, and how many more there are."""
        rows = sorted(row.deliveries.all(), key=lambda each: each.pk)
        named = format_html_join(" ", '<span class="portal-badge portal-state-{}">{}</span> {}', (
            (each.state, each.get_state_display(), each.recipient) for each in rows[:2]
        ))  # fmt: skip
        return format_html("{} +{}", named, len(rows) - 2) if len(rows) > 2 else named


def _page_of(finding: MessageSearch) -> str:
    """Return the address of the one message that was found, and of the recipient in it who was
    searched for.
    """
    assert finding.ids
    [id_] = finding.ids
    page = reverse("admin:deliveries_message_change", args=[id_])
    keys = [clue.value for clue in finding.clues if clue.kind == ClueKind.ADDRESS]
    meant = Delivery.objects.filter(message=id_, recipient_key__in=keys).first() if keys else None
    return f"{page}?delivery={meant.pk}#{meant.pk}" if meant else page


def _deliveries_of(row: Message, meant: UUID | None) -> list[Delivery]:
    """Return one more than a page shows, if there are as many; the one that is meant comes first,
    where the page would not show it else.
    """
    rows = Delivery.objects.filter(message=row).select_related("lane")
    rows = rows.prefetch_related("attempts").order_by("id")
    found = list(rows[: SHOWN_MOST + 1])
    if meant and all(each.pk != meant for each in found[:SHOWN_MOST]):
        found = [*rows.filter(pk=meant), *found]
    return found


def _shown(request: HttpRequest, deliveries: list[Delivery]) -> list[dict[str, Any]]:
    """Return each delivery with its attempts, and with what holds it up now."""
    now = timezone.now()
    sees_pauses = rights.may(request.user, rights.SEE, "deliveries.stop")
    blocked = suppressed_now(deliveries, now=now)
    said, asked = transcripts.of(deliveries), transcripts.asked(deliveries)
    known = LookedUp()
    return [
        {
            "row": row,
            "attempts": [(each, said.get((row.pk, each.at))) for each in row.attempts.all()],
            "is_noted_next": row.pk in asked,
            "waiting": why_waiting(row, now=now, known=known),
            "suppressed": blocked[row.pk],
            "stop": next(iter(stops_of(row, known)), None) if sees_pauses and row.is_live else None,
        }
        for row in deliveries
    ]
