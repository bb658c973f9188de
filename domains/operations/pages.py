"""What pages about rows have in common: whose rows a person sees, what may be done with one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.views import ChangeList

from domains.foundation import rights
from domains.operations import audit, audit_words
from domains.operations.large_lists import InfinitePaginator, InOrder
from domains.operations.own_projects import projects_of, within
from domains.operations.page_rights import PageRights
from domains.operations.row_forms import RowForm
from domains.operations.tick_list import TickList

HISTORY_MOST = 200


@dataclass(frozen=True, slots=True)
class RowVerb:
    """Something an operator may do with one row, by a button of its own: `method` of the pages
    does it.

    It returns a text that says what was done; or a whole answer, and then has written it down in
    the audit log itself.
    """

    method: str
    title: Promise | str
    icon: str
    question: Promise | str = ""  # asked before, where it cannot be undone
    applies: Callable[[Any], bool] = lambda row: True
    asks_reason: bool = False  # see `reason_of`


class Pages(PageRights, ModelAdmin):  # type: ignore[misc]  # Unfold publishes no types
    """People see all rows, or those of the projects that they are limited to."""

    # The look-up from a row to its project; None: no row belongs to one.
    project_path: ClassVar[str | None] = None
    # What a list may be asked for by its URL, beside its filters: any other column would be read
    # from end to end, and `?secret_hash__startswith=` would give it away letter by letter.
    lookups: ClassVar[frozenset[str]] = frozenset()
    verbs: ClassVar[Sequence[RowVerb]] = ()
    # What is filled in for a new row, and stays as it is.
    set_once: ClassVar[tuple[str, ...]] = ()
    # Whether people do things to the row itself, which the audit log then tells.
    has_history: ClassVar[bool] = True

    # Columns that could be large, are small in truth, and are shown in the list.
    list_reads: ClassVar[frozenset[str]] = frozenset()

    form: Any = RowForm
    actions: Any = None
    ordering: Any = ("-pk",)  # Django allows expressions too
    sortable_by = ()
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER  # they count every row for each choice of a filter
    list_per_page = 50
    view_on_site = False
    compressed_fields = True
    change_form_outer_before_template = "portal/verbs.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return InOrder

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        mine = projects_of(request)
        return rows if mine is None else self.of_projects(rows, mine)

    def of_projects(self, rows: QuerySet[Any], projects: list[int]) -> QuerySet[Any]:
        return (
            rows.filter(**{f"{self.project_path}__in": projects})
            if self.project_path
            else rows.none()
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[Any]:
        return (*self.readonly_fields, *self.set_once) if obj else self.readonly_fields

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        return within(self.admin_site, request, field, must_choose=True)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("widget", TickList(capfirst(db_field.verbose_name)))
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        return within(self.admin_site, request, field)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer no new row beside a list of boxes: Django's script could not put it there."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.many_to_many and field:
            field.widget = field.widget.widget
        return field

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        filters = {getattr(each, "parameter_name", None) for each in self.list_filter}
        return lookup in self.lookups | filters

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        """Answer 404 for another project's row as for no row: Django's redirect would say more."""
        raise Http404

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write of a changed row what was changed, and leave the rest, which may be another's."""
        obj.save(update_fields=form.changed_columns() if change else None)

    def get_urls(self) -> list[URLPattern]:
        asked = path(
            "<path:object_id>/do/<slug:verb>/",
            self.admin_site.admin_view(require_POST(self.do)),
            name=self._name("do"),
        )
        return [asked, *super().get_urls()]

    def do(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """Carry out one of the verbs on one row, if this person may."""
        asked = next((each for each in self.verbs if each.method == verb), None)
        if not self.may(request, verb) and (asked or not self.may(request, rights.SEE)):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if (
            row is None
            or asked is None
            or asked not in self.verbs_for(row)
            or not self.may(request, verb)
        ):
            raise Http404
        if asked.asks_reason and not reason_of(request):
            messages.error(request, gettext("Say why: it goes into the audit log."))
            return self.to_page_of(row)
        return self._done(request, row, verb)

    @transaction.atomic
    def _done(self, request: HttpRequest, row: Model, verb: str) -> HttpResponse:
        before = audit.facts(row)
        done = getattr(self, verb)(request, row)
        if isinstance(done, HttpResponseBase):  # a stream is one, too
            return done  # type: ignore[return-value]  # Django takes any of its answers
        self.note(request, verb, row, details={"changed": audit.changes(before, audit.facts(row))})
        messages.success(request, done)
        return self.to_page_of(row)

    def seen_row(self, request: HttpRequest, object_id: str) -> Any:
        """Return the row, where this person may see it; raise `PermissionDenied` or `Http404`."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return row

    def to_page_of(self, row: Model) -> HttpResponse:
        return redirect(reverse(f"admin:{self._name('change')}", args=[row.pk]))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Call the list what the sidebar calls it, in place of Django's "Select … to change"."""
        site: Any = self.admin_site  # it is the portal's, which we do not know
        given = {"title": site.title_of(self.opts.label_lower), **(extra_context or {})}
        return super().changelist_view(request, given)  # type: ignore[no-any-return]  # as above

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return what the template of a row's page shows beside its fields."""
        return {}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        given = extra_context or {}
        if type(self).page_context is not Pages.page_context:  # else the row is read once only
            row = self.get_object(request, object_id)
            given = {**(self.page_context(request, row) if row is not None else {}), **given}
        # as above
        return super().change_view(request, object_id, form_url, given)  # type: ignore[no-any-return]

    def shown_name(self, row: Any) -> str:
        """Return what the page of a row is called, for the person who looks."""
        return str(row)

    @display(description=_("made by"))  # type: ignore[untyped-decorator]  # Unfold has no types
    def author(self, row: Any) -> str:
        """Name who made the row: a person, a command, or what acts by itself."""
        return audit_words.actor_label(row.created_by)

    def notice(self, row: Any) -> str:
        """Return what everybody who looks at the row must see first."""
        return ""

    def verbs_for(self, row: Model) -> list[RowVerb]:
        return [verb for verb in self.verbs if verb.applies(row)]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context.get("original")
        known = self.verbs_for(row) if row is not None else []
        asked = [verb for verb in known if self.may(request, verb.method)]
        do = f"admin:{self._name('do')}"
        context["show_history"] = row is not None and self.has_history
        context["notice"] = self.notice(row) if row is not None else ""
        if row is not None:
            context["subtitle"] = self.shown_name(row)
        context["verbs"] = [
            (verb, reverse(do, args=[row.pk, verb.method])) for verb in asked if row is not None
        ]
        # as above
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[no-any-return]

    def _name(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"

    # --- the audit log, in place of Django's own ---
    def note(self, request: HttpRequest, action: str, row: Model, *, details: Any = None) -> None:
        """Write down that the person who asks did this."""
        given = {"reason": reason_of(request), "client_address": client_address(request)}
        audit.note(request.user.get_username(), action, row, details=details, **given)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """Return the changed values for the audit log, in place of Django's sentence."""
        secret = audit.SECRET
        before = {
            name: audit.plain(form.initial.get(name))
            for name in form.changed_data
            if name not in secret
        }
        return audit.changes(
            before, {name: audit.plain(form.cleaned_data.get(name)) for name in before}
        )

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        self.note(request, "add", obj, details={"values": audit.facts(obj)})

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        if message:
            self.note(request, "change", obj, details={"changed": message})

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            self.note(request, "delete", row, details={"values": audit.facts(row)})

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        row = self.seen_row(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": _("History: %s") % self.shown_name(row),
            "entries": [
                (
                    entry,
                    audit.action_label(entry.action),
                    audit_words.actor_label(entry.actor),
                    list(audit_words.changed(entry)),
                )
                for entry in audit.of(row)[:HISTORY_MOST]
            ],
            "back": reverse(f"admin:{self._name('change')}", args=[row.pk]),
        }
        return TemplateResponse(request, "portal/history.html", context)


def reason_of(request: HttpRequest) -> str:
    """Return what the person wrote into the field that asks why."""
    return audit.one_line(request.POST.get("reason", ""))


def client_address(request: HttpRequest) -> str | None:
    """Return the client's address as the lock of the log-in sees it."""
    return import_string(settings.CLIENT_ADDRESS)(request) or None
