"""The portal's pages about the audit log: to be read, by operators and by the support staff of the
project concerned.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from domains.models import AuditEntry
from domains.operations import audit_words
from domains.operations.audit import action_label
from domains.operations.pages import Pages


class _ValueFilter(admin.SimpleListFilter):
    """One of the values that there are; the log is short beside the mail, so that looking through
    it is cheap.
    """

    column: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        values = (
            model_admin.get_queryset(request)
            .order_by(self.column)
            .values_list(self.column, flat=True)
            .distinct()
        )
        return [(value, self.label(value)) for value in values[:200]]

    def label(self, value: str) -> Any:
        return value

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry]
    ) -> QuerySet[AuditEntry]:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


class ActionFilter(_ValueFilter):
    title = _("what")
    parameter_name = column = "action"

    def label(self, value: str) -> Any:
        return action_label(value)


class ActorFilter(_ValueFilter):
    title = _("who")
    parameter_name = column = "actor"

    def label(self, value: str) -> str:
        return audit_words.actor_label(value)


class KindFilter(_ValueFilter):
    title = _("kind of thing")
    parameter_name = column = "object_type"

    def label(self, value: str) -> str:
        return audit_words.kind_label(value)


@admin.register(AuditEntry)
class AuditLogPages(Pages):
    project_path = "project"
    has_history = False
    fields = (
        "at",
        "by",
        "client_address",
        "what",
        "kind",
        "thing",
        "object_id",
        "project",
        "reason",
        "told",
    )
    readonly_fields = fields
    list_display = ("at", "what", "kind", "thing", "by", "reason")
    list_display_links = ("at", "what")
    list_filter = (ActionFilter, ActorFilter, KindFilter)
    search_fields = ("object_name",)
    search_help_text = _("Part of a thing's name, of a person's or of the reason")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        if not search_term:
            return queryset, False
        mentioned = (
            Q(**{f"{column}__icontains": search_term})
            for column in ("object_name", "actor", "reason")
        )
        return queryset.filter(reduce(or_, mentioned)), False

    def shown_name(self, row: AuditEntry) -> str:
        return audit_words.title(row)

    @display(description=_("what"))
    def what(self, row: AuditEntry) -> Any:
        return action_label(row.action)

    @display(description=_("who"))
    def by(self, row: AuditEntry) -> str:
        return audit_words.actor_label(row.actor)

    @display(description=_("kind of thing"))
    def kind(self, row: AuditEntry) -> str:
        return audit_words.kind_label(row.object_type)

    @display(description=_("thing"))
    def thing(self, row: AuditEntry) -> str:
        return audit_words.thing_label(row)

    @display(description=_("details"))
    def told(self, row: AuditEntry) -> SafeString:
        told = "\n".join(audit_words.lines(row)) or "–"
        return format_html('<pre class="portal-pre">{}</pre>', told)
