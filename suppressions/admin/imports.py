"""The portal's pages about files of suppressions: upload, a look at it, taking it in, and how far
it is.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget

from domains.operations.labels import Labels
from domains.operations.pages import Pages, RowVerb
from suppressions.exchange import importing
from suppressions.exchange.error_words import in_words
from suppressions.models import Import, ImportState

JOB = "suppressions.exchange.importing.run"
CALL = "deliveries.backends.job_queues.call"  # of an app that comes after this one


class ImportForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the stubs only
    file = forms.FileField(
        label=capfirst(_("file")), widget=UnfoldAdminFileFieldWidget,
        help_text=_("CSV of Amazon SES, SendGrid, Postmark, Mailgun, Postal or our own export, "
            "or one "
            "column of addresses."),
    )  # fmt: skip

    def clean_file(self) -> Any:
        """Look at the beginning, so that what is no list is said at once, and keep the file."""
        file = self.cleaned_data["file"]
        try:
            importing.preview(file.file, project=None, now=timezone.now())
            file.file.seek(0)
            importing.keep(self.instance, file.file)
        except ValueError as error:
            raise ValidationError(in_words(str(error))) from error
        return file


def _may_start(row: Import) -> bool:
    """Tell whether a job may begin; after a failure of ours it goes on behind the last batch, since
    the file was kept.
    """
    return row.state == ImportState.WAITING or (row.state == ImportState.FAILED and bool(row.data))


@admin.register(Import)
class ImportPages(Pages):
    """Operators import: a file may suppress whole domains.

    Support staff see the imports into their projects.
    """

    project_path = "project"
    form = ImportForm
    has_history = False
    list_display = (
        "name",
        "scope",
        "state_label",
        "lines",
        "added",
        "updated",
        "refused",
        "author",
        "created_at",
    )
    list_select_related = ("project",)
    change_form_template = "suppressions/import.html"
    verbs = (
        RowVerb("start", _("Import"), "upload", applies=_may_start, asks_reason=True),
        RowVerb("drop", _("Throw it away"), "delete",
            applies=lambda row: row.state == ImportState.WAITING),
    )  # fmt: skip

    @display(description=_("project"))
    def scope(self, row: Import) -> Any:
        return row.project or _("the whole installation")

    @display(
        description=_("state"),
        label=Labels({"failed": "danger", "done": "success", "running": "info"}),
    )
    def state_label(self, row: Import) -> tuple[str, str]:
        return row.state, row.get_state_display()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj else ("project", "file")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Import]:
        return super().get_queryset(request).defer("data")

    def save_model(self, request: HttpRequest, obj: Import, form: Any, change: bool) -> None:
        obj.name = form.cleaned_data["file"].name[:200]
        obj.created_by = request.user.get_username()
        super().save_model(request, obj, form, change)

    def response_add(
        self, request: HttpRequest, obj: Import, post_url_continue: Any = None
    ) -> HttpResponse:
        return self.to_page_of(obj)  # where the look at it is

    def page_context(self, request: HttpRequest, row: Import) -> dict[str, Any]:
        if row.state != ImportState.WAITING or not row.data:
            return {}
        try:
            file = importing.opened(row)
            return {"found": importing.preview(file, project=row.project_id, now=timezone.now())}
        except ValueError as error:
            return {"wrong": in_words(str(error))}

    def start(self, request: HttpRequest, row: Import) -> str:
        """Start the import; the row says that it is wanted, should the call to a worker be lost."""
        importing.resume(row)
        row.refresh_from_db()
        transaction.on_commit(lambda: import_string(CALL)(JOB, row.pk))
        return gettext("The file is being taken in.")

    def drop(self, request: HttpRequest, row: Import) -> str:
        Import.objects.filter(pk=row.pk, state=ImportState.WAITING).update(
            state=ImportState.FAILED, data=b"", ended_at=timezone.now()
        )
        row.refresh_from_db()
        return gettext("Nothing of it was taken in.")
