"""The portal's pages about suppressions: the list and its search, why one blocks, adding, and
lifting one or many.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from domains.foundation import rights
from domains.foundation.text.texts import storable
from domains.models import AuditEntry
from domains.operations import audit
from domains.operations.labels import Labels
from domains.operations.own_projects import projects_of
from domains.operations.pages import Pages, client_address, reason_of
from domains.operations.privacy import REVEAL, RevealsAddresses
from suppressions import recording
from suppressions.admin.asked import moment, narrowed, shown_rows
from suppressions.admin.suppression_forms import ClassFilter, SourceFilter, SuppressionForm
from suppressions.exchange.exporting import rows
from suppressions.keys import known_key
from suppressions.lifting import lift, needs_confirmation
from suppressions.models import Occurrence, Suppression
from suppressions.models.suppressions import SuppressionQuerySet
from suppressions.recording import Given

HISTORY_MOST = 20
SHOWN_MOST = 20
FOUND_MOST = 1000  # of a search, in the list
IS_CUT = "suppressions.is_cut"  # of a request: whether more match than are listed
LIFTED_MOST = 10_000  # at one time


@admin.register(Suppression)
class SuppressionPages(RevealsAddresses, Pages):
    """Who is limited to projects sees and lifts those of these; what blocks for the whole
    installation is told as well.
    """

    project_path = "project"
    form = SuppressionForm
    fields = ("address_key", "project", "sender_domain", "reason", "until")
    list_display = ("address_key", "scope", "what", "made_by", "count", "last_seen_at", "ends")
    list_select_related = ("project",)
    list_filter = (ClassFilter, SourceFilter)
    list_before_template = "suppressions/above_list.html"
    list_disable_select_all = True  # a link of its own leads to all that match
    search_fields = ("address_key",)
    search_help_text = _("An address, @domain, or how one begins")
    change_form_template = "suppressions/suppression.html"
    actions = ("lift_chosen",)
    verbs = (REVEAL,)

    def addresses_of(self, row: Suppression) -> list[str]:
        return [row.address_key]

    # --- the list ---
    @display(description=_("project"))
    def scope(self, row: Suppression) -> Any:
        where = row.project or _("the whole installation")
        return f"{where} · {row.sender_domain}" if row.sender_domain else where

    @display(description=_("class"))
    def what(self, row: Suppression) -> str:
        return gettext(row.meaning.title) if row.meaning else row.reason[:60]

    @display(
        description=pgettext_lazy("of a suppression", "source"),
        label=Labels(
            {"automatic": "", "complaint": "danger", "unsubscribe": "warning", "person": "info"}
        ),
    )
    def made_by(self, row: Suppression) -> tuple[str, Any]:
        return row.source, row.get_source_display()

    @display(description=_("ends or is tried again"))
    def ends(self, row: Suppression) -> Any:
        return row.until or row.probation_at

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Suppression], search_term: str
    ) -> tuple[QuerySet[Suppression], bool]:
        assert isinstance(queryset, SuppressionQuerySet)
        if not search_term:
            return queryset, False
        # Each way to search has an index, and none is sorted by age: to show the newest that match,
        # PostgreSQL would read the whole table.
        matching = queryset.matching(search_term).order_by().values_list("pk", flat=True)
        found = list(matching[: FOUND_MOST + 1])
        request.META[IS_CUT] = len(found) > FOUND_MOST
        return queryset.filter(pk__in=found[:FOUND_MOST]), False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return super().get_actions(request) if self.may(request, rights.LIFT) else {}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        query = request.GET.get("q", "")
        given = {
            "elsewhere": self._of_all(request, query),
            "shown": request.GET.urlencode(),
            "is_searched": bool(query),
            "listed_most": FOUND_MOST,
        }
        # Unfold publishes no types
        response: HttpResponse = super().changelist_view(
            request, {**given, **(extra_context or {})}
        )
        if request.META.get(IS_CUT) and isinstance(response, TemplateResponse):
            response.context_data = {**(response.context_data or {}), "is_cut": True}
        return response

    def _of_all(self, request: HttpRequest, query: str) -> list[Suppression]:
        """Return what who is limited to projects cannot lift, and has to tell a customer all the
        same.
        """
        key = known_key(query)
        if projects_of(request) is None or key is None:
            return []
        # Whoever asks for a domain is told what blocks all of it, and none of its addresses: the
        # installation has those from other projects and from people.
        rows = Suppression.objects.filter(project__isnull=True)
        found = rows.filter(address_key=key) if key.startswith("@") else rows.matching(query)
        return list(found[:SHOWN_MOST])

    # --- one ---
    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj else self.fields

    def page_context(self, request: HttpRequest, row: Suppression) -> dict[str, Any]:
        projects = projects_of(request)
        learned = Occurrence.objects.filter(address_key=row.address_key)
        lifted = AuditEntry.objects.filter(
            object_name=row.address_key, object_type=row._meta.label_lower, action="lift"
        ).order_by("-id")
        if projects is not None:
            learned, lifted = (
                learned.filter(project__in=projects),
                lifted.filter(project__in=projects),
            )
        elif row.project_id:
            learned = learned.filter(project=row.project_id)
        return {
            "occurrences": learned.order_by("-at")[:HISTORY_MOST],
            "liftings": lifted[:HISTORY_MOST],
            "is_old": needs_confirmation(row, now=timezone.now()),
            "lift_url": f"{self._lift_url()}?ids={row.pk}",
        }

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        now = timezone.now()
        given = Given(
            obj.project_id, obj.address_key, Suppression.SuppressedBy.PERSON,
            audit.one_line(obj.reason), now, now,
            sender_domain=obj.sender_domain, until=obj.until,
            created_by=request.user.get_username(),
        )  # fmt: skip
        recording.suppress([given])
        obj.pk = Suppression.objects.get(
            address_key=obj.address_key, project=obj.project_id, sender_domain=obj.sender_domain
        ).pk
        obj.refresh_from_db()

    # --- lifting ---
    def get_urls(self) -> list[URLPattern]:
        lift_url = path(
            "lift/", self.admin_site.admin_view(self.lift_view), name=self._name("lift")
        )
        return [
            lift_url,
            path("export/", self.admin_site.admin_view(self.export), name=self._name("export")),
            *super().get_urls(),
        ]

    def export(self, request: HttpRequest) -> StreamingHttpResponse:
        """Export as CSV what the list shows to this person: all, or what matches."""
        if not self.may(request, rights.EXPORT):
            raise PermissionDenied
        asked = {name: storable(value) for name, value in narrowed(request.GET).items()}
        audit.note(
            request.user.get_username(), "export", Suppression(address_key=asked.get("q") or "*"),
            details={"query": asked} if asked else None, client_address=client_address(request),
        )  # fmt: skip
        lines = rows(shown_rows(self.get_queryset(request), asked))
        headers = {
            "Content-Disposition": 'attachment; filename="suppressions.csv"',
            "Cache-Control": "no-store",
        }
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)

    @admin.action(description=_("Lift"))
    def lift_chosen(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> HttpResponse:
        return redirect(f"{self._lift_url()}?ids={','.join(str(row.pk) for row in queryset)}")

    def _list_url(self) -> str:
        return reverse(f"admin:{self._name('changelist')}")

    def _lift_url(self) -> str:
        return reverse(f"admin:{self._name('lift')}")

    def lift_view(self, request: HttpRequest) -> HttpResponse:
        """Show what is meant, then ask for the reason; ask a second time for what may have a new
        owner by now.
        """
        if not self.may(request, rights.LIFT):
            raise PermissionDenied
        asked = request.POST if request.method == "POST" else request.GET
        shown_at = asked.get("shown_at") or timezone.now().isoformat()
        meant = list(self._meant(request, asked)[: LIFTED_MOST + 1])
        old = [row for row in meant if needs_confirmation(row, now=timezone.now())]
        wrong = self._wrong_with(request, meant, old) if request.method == "POST" else ""
        if request.method == "POST" and not wrong:
            return self._lift(request, meant)
        context = {
            **self.admin_site.each_context(request), "title": _("Lift suppressions"),
            "opts": self.opts, "rows": meant[:SHOWN_MOST],
            "amount": min(len(meant), LIFTED_MOST), "is_cut": len(meant) > LIFTED_MOST,
            "old": old[:SHOWN_MOST], "old_amount": len(old),
            "wrong": wrong,
            "asked": {
                "ids": asked.get("ids", ""), "shown_at": shown_at, **narrowed(asked),
            },
            "reason": reason_of(request),
            "back": f"{self._list_url()}?{urlencode(narrowed(asked))}",
        }  # fmt: skip
        return TemplateResponse(request, "suppressions/lift.html", context)

    def _meant(self, request: HttpRequest, asked: Any) -> QuerySet[Suppression]:
        """Find, among what this person may see, these ids or what the list showed."""
        mine = self.get_queryset(request).select_related("project")
        assert isinstance(mine, SuppressionQuerySet)
        if named := asked.get("ids"):
            # These and no others: of one alone the gate asks for no second factor.
            ids = [
                int(each)
                for each in named.split(",")
                if each.isascii() and each.isdigit() and len(each) < 19
            ]
            return mine.filter(pk__in=ids)
        if not asked.get("q"):
            return mine.none()
        found = shown_rows(mine, asked)
        if (shown_at := moment(asked.get("shown_at", ""))) is None:
            return found
        # What was suppressed since the page was shown is nothing that the person has seen.
        return found.filter(created_at__lte=shown_at)

    def _wrong_with(
        self, request: HttpRequest, rows: list[Suppression], old: list[Suppression]
    ) -> str:
        if not rows:
            return gettext("There is nothing to lift any more.")
        if not reason_of(request):
            return gettext("Say why: it goes into the audit log.")
        if old and request.POST.get("is_sure") != "on":
            return gettext("Confirm that the old ones are meant, too.")
        return ""

    def _lift(self, request: HttpRequest, rows: list[Suppression]) -> HttpResponse:
        ids = [row.pk for row in rows[:LIFTED_MOST]]
        amount = lift(
            ids,
            reason=reason_of(request),
            actor=request.user.get_username(),
            client_address=client_address(request),
        )
        messages.success(
            request,
            ngettext("%d address gets mail again.", "%d addresses get mail again.", amount)
            % amount,
        )
        return redirect(f"admin:{self._name('changelist')}")
