"""The portal's pages about limits over providers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from deliveries.models import ProviderLimit
from deliveries.shaping import provider_limits
from domains.operations.pages import Pages
from domains.operations.row_forms import RowForm


class ProviderLimitForm(RowForm):
    class Meta:
        widgets = {"receivers": UnfoldAdminTextInputWidget}

    def _post_clean(self) -> None:
        """Check what concerns the whole row, in Django's place for it."""
        super()._post_clean()  # type: ignore[misc]  # the stubs leave it out
        if not self.errors:
            try:
                provider_limits.check(self.instance)
            except forms.ValidationError as error:
                self.add_error(None, error)


@admin.register(ProviderLimit)
class ProviderLimitPages(Pages):
    form = ProviderLimitForm
    list_display = ("name", "names", "allowed", "in_use")
    list_reads = frozenset({"state"})
    ordering = ("name",)
    set_once = ("name",)
    fields = ("name", "receivers", "connections", "messages", "period")

    def save_model(self, request: HttpRequest, obj: ProviderLimit, form: Any, change: bool) -> None:
        provider_limits.save(obj, form.changed_columns() if change else None)

    def delete_model(self, request: HttpRequest, obj: ProviderLimit) -> None:
        provider_limits.remove(obj)

    @display(description=_("receivers"))
    def names(self, row: ProviderLimit) -> str:
        return ", ".join(row.receivers)

    @display(description=_("allows"))
    def allowed(self, row: ProviderLimit) -> str:
        return provider_limits.sentence(row)

    @display(description=_("connections now"))
    def in_use(self, row: ProviderLimit) -> str:
        return str(provider_limits.in_use(row))
