"""The portal's pages about the people who use it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from domains.operations.pages import Pages, RowVerb, shown_once
from relay_portal.models import User


@admin.register(User)
class UserPages(Pages):
    """Operators are Django's superusers. First passwords are made, not chosen."""

    fields = (
        "username",
        "email",
        "is_superuser",
        "projects",
        "is_active",
        "enrolled_at",
        "last_login",
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "is_superuser", "projects")}),)
    readonly_fields = ("enrolled_at", "last_login")
    list_display = ("username", "role", "is_active", "enrolled_at", "last_login")
    ordering = ("username",)
    verbs = (
        RowVerb(
            "start_anew",
            _("New password, and a new second factor"),
            "lock_reset",
            _(
                "All sessions of this account end, and its second factors and recovery codes are "
                "thrown away."
            ),
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Nobody takes away their own rights: the last operator could not give them back."""
        own = ("is_superuser", "is_active") if obj is not None and obj.pk == request.user.pk else ()
        return (*self.readonly_fields, *own) if obj else ()

    def formfield_for_dbfield(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> forms.Field | None:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "is_superuser" and field is not None:
            field.label = _("Operator")
            field.help_text = _(
                "May see and change everything. Others are support staff: they see their "
                "projects, lift suppressions of these,"
                " and change nothing else."
            )
        return field  # type: ignore[no-any-return]  # Unfold publishes no types

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        obj.is_staff = True
        super().save_model(request, obj, form, change)
        if not change:
            # shown in the answer, and kept nowhere
            request.portal_secret = obj.start_anew()  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: User, post_url_continue: str | None = None
    ) -> HttpResponse:
        # as above
        return self._shown(request, obj, request.portal_secret)  # type: ignore[attr-defined]

    def start_anew(self, request: HttpRequest, row: User) -> HttpResponse:
        self.note(request, "start_anew", row)
        return self._shown(request, row, row.start_anew())

    def _shown(self, request: HttpRequest, row: User, password: str) -> HttpResponse:
        rows = [(gettext("User name"), row.username), (gettext("Password"), password)]
        return shown_once(self, request, row, rows, title=gettext("The account"))

    @display(description=_("role"), label={"operator": "info", "staff": ""})
    def role(self, row: User) -> tuple[str, Any]:
        return ("operator", _("Operator")) if row.is_superuser else ("staff", _("Support staff"))
