"""The portal's pages about shaping rules: how each receiver wants to be written to."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from deliveries.models import ShapingRule
from deliveries.shaping import rules
from domains.operations.labels import Labels
from domains.operations.pages import Pages, RowVerb
from domains.operations.row_forms import RowForm

PERIODS = {
    "per_second": _("%d a second"),
    "per_minute": _("%d a minute"),
    "per_hour": _("%d an hour"),
    "per_day": _("%d a day"),
}
LIMITS = (
    "connections",
    "connections_per_minute",
    "messages_per_connection",
    "per_second",
    "per_minute",
    "per_hour",
    "per_day",
)
TIMES = ("connect_timeout", "greeting_timeout", "reply_timeout", "body_timeout")


class RuleForm(RowForm):
    class Meta:
        widgets = {"mx_suffixes": UnfoldAdminTextInputWidget, "domains": UnfoldAdminTextInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in (*LIMITS, *TIMES):
            if name in self.fields:
                # they are integer fields
                self.fields[name].min_value = 1  # type: ignore[attr-defined]
                self.fields[name].validators.append(forms.IntegerField(min_value=1).validators[0])

    def _post_clean(self) -> None:
        """Check the whole row (Django calls this after the single fields)."""
        super()._post_clean()  # type: ignore[misc]  # the stubs leave it out
        if not self.errors:
            try:
                rules.check(self.instance)
            except forms.ValidationError as error:
                self.add_error(None, error)


@admin.register(ShapingRule)
class RulePages(Pages):
    """Each change is in the row's history; a shipped rule can go back to what is shipped."""

    form = RuleForm
    list_display = ("title", "names", "connections", "messages_per_connection", "pace", "origin")
    ordering = ("title",)
    search_fields = ("title", "name")
    search_help_text = _("Receiver")
    readonly_fields = ("origin_text", "changed_at", "recipients")
    fieldsets = (
        (None, {"fields": ("title", "origin_text", "changed_at")}),
        (
            _("Applies to"),
            {
                "fields": ("mx_suffixes", "domains"),
                "description": _(
                    "The MX host's name decides, then the recipient's domain. Several are "
                    "separated by commas."
                ),
            },
        ),
        (
            _("Limits of one lane"),
            {
                "fields": (*LIMITS, "recipients"),
                "description": _("Empty: as in the rule for all others, or no limit."),
            },
        ),
        (_("Patience"), {"fields": (*TIMES, "resets_are_throttling")}),
        (_("Security"), {"fields": ("tls",)}),
    )
    verbs = (
        RowVerb(
            "reset", _("Reset to shipped"), "restart_alt", _("What was changed here is "
                "replaced by the figures that are shipped."),
            lambda row: row.is_shipped and row.is_edited,
        ),
    )  # fmt: skip

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return self.fieldsets
        return ((None, {"fields": ("name", "title")}), *self.fieldsets[1:])

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Tell whether the rule may be deleted: a shipped one may not.

        It would come back with the next upgrade. It can be reset, or its limits be made wide.
        """
        is_own = not isinstance(obj, ShapingRule) or not obj.is_shipped
        return super().has_delete_permission(request, obj) and is_own

    def save_model(self, request: HttpRequest, obj: ShapingRule, form: Any, change: bool) -> None:
        rules.save(obj, form.changed_columns() if change else None)

    def delete_model(self, request: HttpRequest, obj: ShapingRule) -> None:
        rules.remove(obj)

    def reset(self, request: HttpRequest, row: ShapingRule) -> str:
        rules.reset(row)
        return gettext("The rule is as it is shipped.")

    @display(description=_("applies to"))
    def names(self, row: ShapingRule) -> str:
        if row.name == ShapingRule.DEFAULT:
            return gettext("all that no other rule names")
        shown = [f"*.{suffix}" for suffix in row.mx_suffixes] or row.domains
        return ", ".join(shown[:3]) + (" …" if len(shown) > 3 else "")

    @display(description=_("recipients per transaction"))
    def recipients(self, row: ShapingRule) -> str:
        return gettext(
            "1, at every receiver: each delivery has a return path of its own, by which its late "
            "bounces are told apart."
        )

    @display(description=_("messages"))
    def pace(self, row: ShapingRule) -> str:
        given = [
            str(text) % getattr(row, name) for name, text in PERIODS.items() if getattr(row, name)
        ]
        return ", ".join(given) or "–"

    @display(
        description=_("origin"), label=Labels({"changed": "warning", "shipped": "", "own": "info"})
    )
    def origin(self, row: ShapingRule) -> tuple[str, Any]:
        if not row.is_shipped:
            return "own", _("Made here")
        return ("changed", _("Changed here")) if row.is_edited else ("shipped", _("As shipped"))

    @display(description=_("origin"))
    def origin_text(self, row: ShapingRule) -> Any:
        return self.origin(row)[1]
