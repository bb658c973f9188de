"""The portal's pages about policies: presets that can be changed, and what one would have done."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.decorators import display

from domains.operations.pages import Pages
from domains.operations.row_forms import RowForm
from suppressions import dry_run
from suppressions.classes import MEANINGS, Class
from suppressions.models import Policy
from suppressions.policy import PRESETS, Rules
from suppressions.recording import policies

# Only the deliveries know what arrived, and that app comes after this one.
ARRIVALS = "deliveries.bounces.learning.arrivals"


class PolicyForm(RowForm):
    def clean(self) -> dict[str, Any]:
        """Fill in the values of a preset that was chosen now.

        Values that were changed make the policy the project's own.
        """
        given = super().clean() or self.cleaned_data
        preset = given.get("preset")
        if "preset" in self.changed_data and preset in PRESETS:
            given |= {name: getattr(PRESETS[preset], name) for name in Rules.__slots__}
        elif preset in PRESETS and any(
            given.get(name) != getattr(PRESETS[preset], name) for name in Rules.__slots__
        ):
            given["preset"] = Policy.Preset.CUSTOM
        return given


@admin.register(Policy)
class PolicyPages(Pages):
    """A project without one has the standard."""

    project_path = "project"
    form = PolicyForm
    set_once = ("project",)
    list_display = (
        "project",
        "preset_name",
        "on_suppressed",
        "permanent",
        "temporary",
        "unknown",
        "changed_at",
    )
    list_select_related = ("project",)
    ordering = ("project__name",)
    change_form_outer_after_template = "suppressions/dry_run_button.html"
    fieldsets = (
        (None, {"fields": ("project", "preset"), "description": _("A preset fills in the "
            "values below; change them and it is your own.")}),
        (_("When an address is suppressed"), {"fields": (
            "permanent", "temporary", "unknown", "within_days", "is_in_a_row", "full_days",
            "heeds_complaints",
        )}),
        (_("When it is tried again"),
            {"fields": ("permanent_probation_days", "other_probation_days", "lasts_days")}),
        (_("What apps and recipients see"), {"fields": ("on_suppressed", "adds_unsubscribe")}),
        (_("When a credential's bounces are too many"),
            {"fields": ("alert_rate", "alert_least", "alert_hours", "pauses_credential")}),
    )  # fmt: skip

    @display(description=_("preset"))
    def preset_name(self, row: Policy) -> str:
        return str(row.get_preset_display())

    def save_model(self, request: HttpRequest, obj: Policy, form: Any, change: bool) -> None:
        obj.changed_at = timezone.now()
        super().save_model(request, obj, form, change)

    def notice(self, row: Policy) -> str:
        if row.adds_unsubscribe and not settings.EKIDEN_PUBLIC_URL:
            return gettext(
                "One-click unsubscribe is wanted, but EKIDEN_PUBLIC_URL is not set: no message "
                "gets it."
            )
        return ""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.dry_run_view))
        return [
            path("<path:object_id>/dry-run/", view, name=self._name("dry_run")),
            *super().get_urls(),
        ]

    def dry_run_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Try the form as it is filled in, saved or not."""
        row = self.get_object(request, object_id)
        if row is None or not self.has_change_permission(request, row):
            raise Http404
        in_force = policies([row.project_id])[row.project_id]
        form = self.get_form(request, row)(request.POST, instance=row)
        context = {
            **self.admin_site.each_context(request),
            "title": _("What this policy would have done"),
            "opts": self.opts,
        }
        context["back"] = reverse(f"admin:{self._name('change')}", args=[row.pk])
        if form.is_valid():
            tried = form.save(commit=False).rules
            found = dry_run.run(
                row.project_id, tried, in_force, import_string(ARRIVALS), now=timezone.now()
            )
            context |= {
                "found": found,
                "classes": [(_title(name), *amounts) for name, *amounts in found.classes],
                "project": row.project,
            }
            context["sums"] = (sum(found.in_force.values()), sum(found.tried.values()))
            context["more"] = [(key, _title(name)) for key, name in found.only_tried]
            context["fewer"] = [(key, _title(name)) for key, name in found.only_in_force]
        else:
            context["errors"] = [error for errors in form.errors.values() for error in errors]
        return TemplateResponse(request, "suppressions/dry_run.html", context)


def _title(name: str) -> str:
    return gettext(MEANINGS[Class(name)].title)
