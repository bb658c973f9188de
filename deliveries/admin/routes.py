"""The portal's pages about routes."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from deliveries.models import Route
from deliveries.routing import routes
from domains.operations.pages import Pages


class RouteForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the stubs only
    port = forms.IntegerField(
        label=capfirst(_("port")),
        min_value=1,
        max_value=65_535,
        initial=25,
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def clean_host(self) -> str:
        host = str(self.cleaned_data["host"]).removeprefix("[").removesuffix("]").lower()
        if host and not routes.is_host(host):
            raise ValidationError(_("This is neither a host name nor an address."))
        return host

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if "pattern" in given:
            given["pattern"] = routes.canonical_pattern(given["pattern"])
        return given


@admin.register(Route)
class RoutePages(Pages):
    form = RouteForm
    list_display = ("pattern", "host", "port", "tls", "smarthost", "is_sandbox")
    list_select_related = ("smarthost",)
    fields = ("pattern", "host", "port", "tls", "smarthost")
    ordering = ("pattern",)

    # `follow` waits until routers have seen the change, which they cannot before it is committed.
    def save_model(self, request: HttpRequest, obj: Route, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        transaction.on_commit(partial(routes.follow, obj.pattern))

    def delete_model(self, request: HttpRequest, obj: Route) -> None:
        obj.delete()
        transaction.on_commit(partial(routes.follow, obj.pattern))
