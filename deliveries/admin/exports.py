"""The portal's pages about exports of messages: how far they are, and their files."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from deliveries.admin.finding import in_words
from deliveries.models import ExportPart, ExportState, MessageExport
from deliveries.search import exporting
from domains.operations.labels import Labels
from domains.operations.pages import Pages, RowVerb


@admin.register(MessageExport)
class ExportPages(Pages):
    """An export is asked for on the page that finds messages; here it is fetched."""

    project_path = ""  # it may hold several
    list_reads = frozenset({"query"})
    list_display = ("number", "which", "state_label", "messages", "rows", "created_at")
    fields = ("which", "state", "messages", "rows", "author", "created_at", "ended_at")
    readonly_fields = fields
    verbs = (
        RowVerb(
            "download", _("Download"), "download", applies=lambda row: row.state == ExportState.DONE
        ),
        RowVerb("drop", _("Throw it away"), "delete"),
    )

    def of_projects(
        self, rows: QuerySet[MessageExport], projects: list[int]
    ) -> QuerySet[MessageExport]:
        """Keep the exports that hold nothing of projects other than these."""
        return rows.filter(projects__contained_by=projects)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # from the page that finds messages

    def download(self, request: HttpRequest, row: MessageExport) -> HttpResponse:
        self.note(request, "download", row, details={"query": row.query, "rows": row.rows})
        answer = StreamingHttpResponse(exporting.text_of(row), content_type="text/csv")
        answer["Content-Disposition"] = f'attachment; filename="messages-{row.pk}.csv"'
        answer["Cache-Control"] = "no-store"
        answer["X-Content-Type-Options"] = "nosniff"
        return answer  # type: ignore[return-value]  # one of Django's two kinds

    def drop(self, request: HttpRequest, row: MessageExport) -> HttpResponse:
        """Delete an export and its file; a job that is writing it stops at its next batch."""
        self.note(request, "drop", row)
        pk = row.pk
        row.delete()  # waits for a batch that is being written, which is there then
        ExportPart.objects.filter(export=pk).delete()
        messages.success(request, gettext("The export and its file are gone."))
        return redirect("admin:deliveries_messageexport_changelist")

    @display(description=_("export"))
    def number(self, row: MessageExport) -> str:
        return str(row)

    @display(description=_("which messages"))
    def which(self, row: MessageExport) -> str:
        return in_words(row.query, projects=row.projects) or gettext("All")

    @display(
        description=_("state"),
        label=Labels({"failed": "danger", "done": "success", "running": "info"}),
    )
    def state_label(self, row: MessageExport) -> tuple[str, str]:
        return row.state, row.get_state_display()
