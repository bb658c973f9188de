"""The portal's pages about projects."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from domains.models import Project
from domains.operations.pages import Pages


@admin.register(Project)
class ProjectPages(Pages):
    project_path = "pk"
    change_form_outer_after_template = "domains/project_page.html"
    list_display = ("name", "created_at", "content_days", "log_days")
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": ("name",)}),
        (
            _("Its mail"),
            {
                "fields": (
                    "hides_client_address",
                    "takes_foreign_names",
                    "is_sandboxed",
                    "keeps_subject",
                    "shows_content",
                    "sends_reports",
                    "in_doubt",
                    "idempotency_window",
                )
            },
        ),
        (_("Retries"), {"fields": ("retry_schedule", "lifetime")}),
        (_("Retention"), {"fields": ("content_days", "log_days", "transcript_days")}),
    )
