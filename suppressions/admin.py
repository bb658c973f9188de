"""The portal's pages about suppressions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from domains.addresses import BadAddress, parse_path
from domains.pages import Pages
from suppressions.models import Suppression


class SuppressionForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the stubs only
    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Django's signature
        super().__init__(*args, **kwargs)
        if "address_key" in self.fields:  # on the page that only shows one there is no field
            self.fields["address_key"].help_text = _("One address; however it is written, it is recognised.")

    def clean_address_key(self) -> str:
        try:
            return key_of(self.cleaned_data["address_key"])
        except BadAddress as error:
            raise ValidationError(_("This is no mail address.")) from error


@admin.register(Suppression)
class SuppressionPages(Pages):
    """Removing one lets the address get mail again."""

    project_path = "project"
    may_add = may_delete = True
    form = SuppressionForm
    fields = ("address_key", "project", "reason")
    list_display = ("address_key", "scope", "made_by", "reason", "created_at")
    list_select_related = ("project",)
    search_fields = ("address_key",)
    search_help_text = _("The whole address")

    @display(description=_("address"))
    def address(self, row: Suppression) -> str:
        return row.address_key

    @display(description=_("project"))
    def scope(self, row: Suppression) -> Any:
        return row.project or _("the whole installation")

    @display(description=_("made by"))
    def made_by(self, row: Suppression) -> str:
        return str(row.get_source_display())

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Suppression], search_term: str
    ) -> tuple[QuerySet[Suppression], bool]:
        """By the whole key, for which there is an index."""
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(address_key=key_of(search_term)), False
        except BadAddress:
            return queryset.none(), False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("address", "scope", "reason", "made_by", "created_at") if obj else self.fields


def key_of(text: str) -> str:
    return parse_path(text.strip().strip("<>"), smtputf8=True).key
