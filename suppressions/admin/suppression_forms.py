"""The form of a suppression, and what its list is filtered by."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from domains.foundation.text.addresses import BadAddress
from suppressions.classes import MEANINGS
from suppressions.keys import key_of
from suppressions.models import Suppression


class SuppressionForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the stubs only
    class Meta:
        widgets = {"reason": UnfoldAdminTextInputWidget, "address_key": UnfoldAdminTextInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Django's signature
        super().__init__(*args, **kwargs)
        if "address_key" in self.fields:  # on the page that only shows one there is no field
            self.fields["address_key"].help_text = _(
                "One address, however it is written; or @domain for all addresses of a domain."
            )

    def clean_address_key(self) -> str:
        try:
            return key_of(self.cleaned_data["address_key"])
        except BadAddress as error:
            raise ValidationError(_("This is neither a mail address nor @domain.")) from error

    def clean_until(self) -> Any:
        if (until := self.cleaned_data["until"]) is not None and until <= timezone.now():
            raise ValidationError(_("That time is over."))
        return until

    def clean_sender_domain(self) -> str:
        return str(self.cleaned_data["sender_domain"]).strip().lower().rstrip(".")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        project, domain = given.get("project"), given.get("sender_domain")
        if domain and (project is None or not project.domains.filter(name=domain).exists()):
            self.add_error("sender_domain", _("This is no domain of that project."))
        return given


class ClassFilter(admin.SimpleListFilter):
    title = _("class")
    parameter_name = "class"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(class_.value, gettext(meaning.title)) for class_, meaning in MEANINGS.items()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Suppression]
    ) -> QuerySet[Suppression]:
        return queryset.filter(category=self.value()) if self.value() in MEANINGS else queryset


class SourceFilter(admin.SimpleListFilter):
    title = pgettext_lazy("of a suppression", "source")
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Suppression.SuppressedBy.choices)

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Suppression]
    ) -> QuerySet[Suppression]:
        return (
            queryset.filter(source=self.value())
            if self.value() in Suppression.SuppressedBy.values
            else queryset
        )
