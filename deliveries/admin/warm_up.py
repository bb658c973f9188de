"""The portal's pages about warm-ups: their daily numbers, and what went on each day."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from deliveries.models import WarmUpDay, WarmUpPlan
from domains.operations.pages import Pages


@admin.register(WarmUpPlan)
class WarmUpPlanPages(Pages):
    list_display = ("receiver", "numbers", "is_edited")
    fields = ("receiver", "numbers")
    ordering = ("receiver",)

    def save_model(self, request: HttpRequest, obj: WarmUpPlan, form: Any, change: bool) -> None:
        obj.is_edited, obj.changed_at = True, timezone.now()
        super().save_model(request, obj, form, change)


@admin.register(WarmUpDay)
class WarmUpDayPages(Pages):
    list_display = (
        "date", "source", "receiver", "day", "number", "led", "accepted", "throttled", "blocked",
        "complaints", "verdict",
    )  # fmt: skip
    list_select_related = ("source",)
    fields = list_display
    readonly_fields = list_display
    ordering = ("-date", "source_id", "receiver")
    has_history = False
