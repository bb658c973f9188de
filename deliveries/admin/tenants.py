"""The portal's pages about rules for tenants, and where they hold."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from deliveries.models import TenantCase, TenantRule
from deliveries.steering import tenants
from domains.operations.pages import Pages


@admin.register(TenantRule)
class TenantRulePages(Pages):
    list_display = ("name", "project", "source", "measure", "threshold", "action", "is_live")
    list_select_related = ("project",)
    fields = (
        "name", "project", "source", "measure", "threshold", "least", "hours", "action", "pool",
        "per_minute", "is_live",
    )  # fmt: skip
    ordering = ("name",)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:  # Django's signature
        """Let its cases go with it, which nobody may delete alone."""
        found, counts, _needed, protected = super().get_deleted_objects(objs, request)
        return found, counts, set(), protected

    def save_model(self, request: HttpRequest, obj: TenantRule, form: Any, change: bool) -> None:
        if change:
            tenants.change(obj, form.changed_columns())
        else:
            super().save_model(request, obj, form, change)

    # What it has set goes with it.
    def delete_model(self, request: HttpRequest, obj: TenantRule) -> None:
        tenants.remove(obj, now=timezone.now())


@admin.register(TenantCase)
class TenantCasePages(Pages):
    list_display = ("project", "rule", "figures", "opened_at", "ended_at", "has_acted")
    list_select_related = ("project", "rule")
    fields = (
        "project", "rule", "rate", "amount", "total", "opened_at", "ended_at", "has_acted",
        "per_minute",
    )  # fmt: skip
    readonly_fields = fields
    ordering = ("-id",)

    @admin.display(description=_("rate"))
    def figures(self, case: TenantCase) -> str:
        return f"{case.rate:.2f} % ({case.amount} / {case.total})"
