"""The portal's pages about rules that people add to the shipped ones."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from deliveries.backends import job_queues
from deliveries.bounces import unknown_answers
from deliveries.classification import loaded_rules
from deliveries.classification.dialects import KNOWN, provider_of
from deliveries.classification.local_rules import LocalRules
from deliveries.classification.reply_text import parse
from deliveries.classification.rules import normal
from deliveries.models import LocalRule, Reclassification, ReclassificationState
from deliveries.smtp.outcomes import SCOPES
from domains.operations.labels import Labels
from domains.operations.pages import Pages, RowVerb
from domains.operations.row_forms import RowForm
from suppressions.classes import MEANINGS, Class

EFFECTS_SHOWN = 10
HARD = frozenset({"unknown_user", "unknown_domain", "mailbox_disabled", "relay_denied", "other"})


class LocalRuleForm(RowForm):
    is_seen = forms.BooleanField(
        label=_("I have seen what it changes"),
        required=False,
        help_text=_(
            "Saving without it says which of the stored answers of the last 30 days the rule would "
            "give another class."
        ),
    )

    class Meta:
        widgets = dict.fromkeys(
            ("pattern", "example", "providers", "stages", "codes"), UnfoldAdminTextInputWidget
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Django's signature
        super().__init__(*args, **kwargs)
        if "stages" in self.fields:  # on the page that only shows one there is no field
            self.fields["stages"].help_text = _("Of %s; empty: any.") % ", ".join(SCOPES)
            self.fields["providers"].help_text = _(
                "Names of receivers, such as google or docomo; empty: any."
            )

    def clean_stages(self) -> list[str]:
        return self._among("stages", {stage.value for stage in SCOPES})

    def clean_providers(self) -> list[str]:
        return self._among("providers", {rule.name for rule in KNOWN})

    def _among(self, name: str, known: set[str]) -> list[str]:
        given = [text.strip().lower() for text in self.cleaned_data[name] or []]
        if unknown := sorted(set(given) - known):
            raise ValidationError(gettext("Not known: %s") % ", ".join(unknown))
        return given

    def clean(self) -> dict[str, Any]:
        """Check that the rule fits its example: without it nobody would notice a rule that never
        speaks.
        """
        given = super().clean() or self.cleaned_data
        given["changed_at"] = timezone.now()
        if given.get("is_hard") and given.get("category") not in HARD:
            self.add_error(
                "is_hard", _("That class says nothing about whether the address is dead.")
            )
        if self.errors:
            return given
        try:
            rules = LocalRules(
                [
                    loaded_rules.rule_of(
                        [
                            given.get(name, getattr(self.instance, name))
                            for name in loaded_rules.COLUMNS
                        ]
                    )
                ]
            )
        except ValueError as error:
            self.add_error("pattern", str(error))
            return given
        if not self._fits(rules, given):
            self.add_error("example", _("The rule does not speak about its own example."))
        elif given.get("is_active") and not given.get("is_seen"):
            self._show_effects(given)
        return given

    def _show_effects(self, given: dict[str, Any]) -> None:
        """Show what else the rule fits, before it is in force: it speaks before all others."""
        rule = loaded_rules.rule_of(
            [given.get(name, getattr(self.instance, name)) for name in loaded_rules.COLUMNS]
        )
        found = unknown_answers.effects(rule, now=timezone.now())
        for each in found[:EFFECTS_SHOWN]:
            title = MEANINGS[Class(each.category)].title if each.category else "–"
            words = {"amount": each.amount, "title": gettext(title), "form": each.form}
            self.add_error("is_seen", gettext("It changes %(amount)s: %(title)s, %(form)s") % words)
        if len(found) > EFFECTS_SHOWN:
            rest = sum(each.amount for each in found[EFFECTS_SHOWN:])
            self.add_error("is_seen", gettext("It changes %(amount)s more.") % {"amount": rest})

    def _fits(self, rules: LocalRules, given: dict[str, Any]) -> bool:
        code, _enhanced, text = parse(given["example"])
        stages, codes = given["stages"] or [None], given["codes"] or [code]
        providers = given["providers"] or [provider_of("", "")]
        return any(
            rules.find(normal(text), provider=provider, stage=stage, code=each)
            for provider in providers
            for stage in stages
            for each in codes
        )


@admin.register(LocalRule)
class LocalRulePages(Pages):
    """For operators: a wrong rule silences customers. Workers follow within a second."""

    form = LocalRuleForm
    list_display = ("name", "what", "is_hard", "pattern", "is_active", "author", "changed_at")
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "pattern", "example", "is_active", "is_seen")}),
        (_("Means"), {"fields": ("category", "is_hard", "detail")}),
        (_("Only for"), {"fields": ("providers", "stages", "codes")}),
    )

    @display(description=_("class"))
    def what(self, row: LocalRule) -> str:
        return str(row.get_category_display())

    def save_model(self, request: HttpRequest, obj: LocalRule, form: Any, change: bool) -> None:
        obj.changed_at = timezone.now()
        obj.created_by = obj.created_by or request.user.get_username()
        super().save_model(request, obj, form, change)


@admin.register(Reclassification)
class ReclassificationPages(Pages):
    """A second look at the last 30 days: begun, counted, seen by a person, and only then carried
    out.
    """

    list_display = ("id", "state_label", "seen", "changed", "lifted", "author", "created_at")
    change_form_template = "deliveries/reclassification.html"
    verbs = (
        RowVerb(
            "apply", _("Carry it out"), "done_all", _("Classes are written anew, and the "
                "policies judge these addresses again."),
            lambda look: look.state == ReclassificationState.COUNTED and look.changed > 0,
        ),
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ()  # there is nothing to fill in

    @display(
        description=_("state"),
        label=Labels({"failed": "danger", "done": "success", "counted": "warning"}),
    )
    def state_label(self, row: Reclassification) -> tuple[str, str]:
        return row.state, row.get_state_display()

    def save_model(
        self, request: HttpRequest, obj: Reclassification, form: Any, change: bool
    ) -> None:
        obj.created_by = request.user.get_username()
        super().save_model(request, obj, form, change)
        transaction.on_commit(
            lambda: job_queues.call("deliveries.bounces.reclassify.count", obj.pk)
        )

    def response_add(
        self, request: HttpRequest, obj: Reclassification, post_url_continue: Any = None
    ) -> HttpResponse:
        return self.to_page_of(obj)

    def page_context(self, request: HttpRequest, row: Reclassification) -> dict[str, Any]:
        return {"rows": [_named(*each) for each in row.table]}

    def apply(self, request: HttpRequest, row: Reclassification) -> str:
        Reclassification.objects.filter(pk=row.pk, state=ReclassificationState.COUNTED).update(
            state=ReclassificationState.APPLYING
        )
        row.refresh_from_db()
        transaction.on_commit(
            lambda: job_queues.call("deliveries.bounces.reclassify.apply", row.pk)
        )
        return gettext("It is being carried out.")


def _named(
    before: str, after: str, was_hard: bool, is_hard: bool, amount: int
) -> tuple[str, str, bool, bool, int]:
    return (
        gettext(MEANINGS[Class(before)].title),
        gettext(MEANINGS[Class(after)].title),
        was_hard,
        is_hard,
        amount,
    )
