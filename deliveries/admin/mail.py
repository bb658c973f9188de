"""The portal's pages about messages and deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from deliveries.admin import ordering
from deliveries.admin.content import SHOW_CONTENT, ShowsContent
from deliveries.admin.delivery_filters import SinceFilter, StateFilter, since_of
from deliveries.admin.finding import MessageList, box, finding_of, short_query
from deliveries.insight import transcripts
from deliveries.insight.suppressed import suppressed_now
from deliveries.insight.tracing import why_waiting
from deliveries.models import Delivery, Message, Order, Resending, Stop
from deliveries.models.messages import DeliveryQuerySet
from deliveries.models.states import ENDED, LIVE, State
from deliveries.search.narrowing import NAMES, narrow
from domains.foundation import rights
from domains.foundation.text.addresses import BadAddress, parse_path
from domains.operations.pages import Pages, RowVerb

SHOWN_MOST = 200  # deliveries on a message's page

LABELS = {
    State.QUEUED: "info",
    State.DEFERRED: "warning",
    State.DELIVERED: "success",
    State.BOUNCED: "danger",
    State.EXPIRED: "danger",
    State.SUPPRESSED: "",
    State.CANCELLED: "",
}


def key_of(text: str) -> str | None:
    """The canonical key of an address that a person typed."""
    try:
        return parse_path(text.strip().strip("<>"), smtputf8=True).key
    except BadAddress:
        return None


def uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


@admin.register(Message)
class MessagePages(ShowsContent, Pages):
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
            queryset = narrow(
                queryset, finding.narrowing, finding.narrowing.scope(finding.projects)
            )
        if finding.ids is None:
            return queryset.exclude(origin=Message.Origin.REPORT), False
        return queryset.filter(pk__in=finding.ids), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[MessageList]:
        return MessageList

    def get_urls(self) -> list[URLPattern]:
        find = path("find/", self.admin_site.admin_view(self.find), name=self._name("find"))
        return [find, *super().get_urls()]

    def find(self, request: HttpRequest) -> HttpResponse:
        """Take whatever was pasted, however long, and lead to a list whose address holds it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = {name: request.POST.get(name, "").strip() for name in NAMES}
        asked["q"] = short_query(request.POST.get("q", ""))
        query = urlencode({name: value for name, value in asked.items() if value})
        return redirect(f"{reverse('admin:deliveries_message_changelist')}?{query}")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        finding = finding_of(request)
        if finding.ids and len(finding.ids) == 1 and not finding.narrowing:
            for text in finding.taken_for:
                messages.info(request, gettext("Found: what you gave was taken for %s.") % text)
            return redirect(f"admin:{self._name('change')}", finding.ids[0])
        given = {**box(request), **(extra_context or {})}
        # Unfold publishes no types
        return super().changelist_view(request, given)  # type: ignore[no-any-return]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        found = (
            Delivery.objects.filter(message=uuid_of(object_id))
            .select_related("lane")
            .prefetch_related("attempts")
            .order_by("id")
        )
        rows = list(found[:SHOWN_MOST])
        now = timezone.now()
        sees_pauses = rights.may(request.user, rights.SEE, "deliveries.stop")
        blocked = suppressed_now(rows, now=now)
        said = transcripts.of(rows)
        asked = transcripts.asked(rows)
        shown = [
            {
                "row": row,
                "attempts": [
                    (attempt, said.get((row.pk, attempt.at))) for attempt in row.attempts.all()
                ],
                "is_noted_next": row.pk in asked,
                "waiting": why_waiting(row, now=now),
                "suppressed": blocked[row.pk],
                "stop": Stop.objects.covering(row).first() if sees_pauses and row.is_live else None,
            }
            for row in rows
        ]
        may_act = rights.may(request.user, rights.ADD, "deliveries.order") and any(
            row.is_live for row in rows
        )
        given = {
            "deliveries": shown,
            "shown_most": SHOWN_MOST,
            "may_see_lanes": rights.may(request.user, rights.SEE, "deliveries.lane"),
            "may_resend": rights.may(request.user, "resend", "deliveries.message"),
            "may_suppress": rights.may(request.user, rights.ADD, "suppressions.suppression"),
            "resent_from": Resending.objects.filter(message=uuid_of(object_id)).first(),
            "resent_as": Resending.objects.filter(original=uuid_of(object_id))
            .select_related("message")
            .order_by("pk"),
            "verbs_for_live": Order.Verb.choices if may_act else [],
            **(extra_context or {}),
        }
        # Unfold publishes no types
        return super().change_view(request, object_id, form_url, given)  # type: ignore[no-any-return]

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
        """Each recipient with its state, the first few of many."""
        rows = sorted(row.deliveries.all(), key=lambda each: each.pk)
        named = format_html_join(" ", '<span class="portal-badge portal-state-{}">{}</span> {}', (
            (each.state, each.get_state_display(), each.recipient) for each in rows[:2]
        ))  # fmt: skip
        return format_html("{} +{}", named, len(rows) - 2) if len(rows) > 2 else named


@admin.register(Delivery)
class DeliveryPages(Pages):
    """The list; each of them is shown on its message's page."""

    project_path = "project"
    list_display = ("recipient", "state_label", "project", "attempt_count", "due_at", "ended_at")
    list_select_related = ("project",)
    list_filter = (StateFilter, SinceFilter)
    lookups = frozenset({"lane"})
    list_before_template = "deliveries/all_that_match.html"
    list_disable_select_all = True  # a link of its own leads to all that match
    actions = ordering.actions()
    search_fields = ("pk",)
    search_help_text = _("Recipient or delivery id")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return (
            super().get_actions(request)
            if rights.may(request.user, rights.ADD, "deliveries.order")
            else {}
        )

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        matching = (
            _selection_of(request)
            if rights.may(request.user, rights.ADD, "deliveries.order")
            else ""
        )
        # as above
        return super().changelist_view(request, {"matching": matching, **(extra_context or {})})  # type: ignore[no-any-return]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows = super().get_queryset(request)
        # The index that begins with the lane holds the live ones only.
        return rows.filter(ended_at__isnull=True) if "lane" in request.GET else rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        assert isinstance(queryset, DeliveryQuerySet)
        if not search_term:  # of a lane all are shown: they wait there too
            return (queryset if "lane" in request.GET else queryset.besides_reports()), False
        if (id_ := uuid_of(search_term)) is not None:
            return queryset.filter(pk=id_), False
        key = key_of(search_term)
        return (queryset.to_address(key) if key is not None else queryset.none()), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return HttpResponseRedirect(
            reverse("admin:deliveries_message_change", args=[row.message_id]) + f"#{row.pk}"
        )

    @display(description=_("state"), label=LABELS)
    def state_label(self, row: Delivery) -> tuple[str, str]:
        return row.state, row.get_state_display()


def _selection_of(request: HttpRequest) -> str:
    """The list's filters as the page for a new order knows them; "" where they are about what has
    ended.
    """
    asked = request.GET
    if asked.get("state") in ENDED:
        return ""
    given: dict[str, Any] = {
        "lane": asked.get("lane"),
        "state": asked.get("state") if asked.get("state") in LIVE else None,
    }
    given["since"] = since.isoformat() if (since := since_of(asked.get("since"))) else None
    query = asked.get("q", "")
    given["ids" if uuid_of(query) else "recipient"] = query
    named = {name: value for name, value in given.items() if value}
    return urlencode(named or {"everything": "on"})
