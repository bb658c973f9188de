"""The portal's pages about the people who use it."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_network
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from domains.foundation.rights import Role
from domains.operations.labels import Labels
from domains.operations.pages import Pages, RowVerb
from domains.operations.row_forms import RowForm
from domains.operations.shown_once import shown_once
from relay_portal.access import networks
from relay_portal.access.invitations import invite
from relay_portal.models import GroupRole, Invitation, LogInNetwork, User


def _role(description: Any) -> Any:
    return display(
        description=description,
        label=Labels({
            Role.OWNER: "danger", Role.OPERATOR: "info", Role.SUPPORT: "", Role.AUDITOR: "",
            Role.DEVELOPER: "success",
        }),
    )  # fmt: skip


class PersonForm(RowForm):
    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # Django's stubs leave it out
        try:
            self.instance.check_an_owner_remains()
        except ValidationError as error:
            self.add_error(None, error)


@admin.register(User)
class UserPages(Pages):
    """Nobody gets a password from us: an invitation lets a person choose one."""

    form = PersonForm
    fields = (
        "username",
        "email",
        "role",
        "is_limited",
        "projects",
        "is_active",
        "enrolled_at",
        "last_login",
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "role", "is_limited", "projects")}),)
    readonly_fields = ("enrolled_at", "last_login")
    list_display = ("username", "role_label", "is_active", "enrolled_at", "last_login")
    ordering = ("username",)
    verbs = (
        RowVerb(
            "invite",
            _("New invitation"),
            "lock_reset",
            _(
                "All sessions of this account end; its password, second factors and recovery codes "
                "are thrown away. The person chooses new ones by the link."
            ),
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Make a person's own rights read-only: the last owner could not give them back."""
        is_own = obj is not None and obj.pk == request.user.pk
        own = ("role", "is_limited", "is_active") if is_own else ()
        return (*self.readonly_fields, *own) if obj else ()

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        obj.is_staff = obj.is_staff or not change  # later the groups at a provider decide
        super().save_model(request, obj, form, change)
        if not change:
            # shown in the answer, and kept nowhere
            request.portal_secret = invite(obj, by=request.user.get_username())  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: User, post_url_continue: str | None = None
    ) -> HttpResponse:
        # as above
        return self._shown(request, *request.portal_secret)  # type: ignore[attr-defined]

    def invite(self, request: HttpRequest, row: User) -> HttpResponse:
        self.note(request, "invite", row)
        return self._shown(request, *invite(row, by=request.user.get_username()))

    def _shown(self, request: HttpRequest, invitation: Invitation, token: str) -> HttpResponse:
        link = request.build_absolute_uri(reverse("two_factor:open_invitation", args=[token]))
        rows = [
            (gettext("User name"), invitation.user.username),
            (gettext("Role"), invitation.user.get_role_display()),
            (gettext("Link"), link),
            (
                gettext("Works once, until"),
                date_format(localtime(invitation.expires_at), "DATETIME_FORMAT"),
            ),
        ]
        advice = gettext(
            "Send the link to the person by a way that only they read. They choose a password and "
            "set up a second factor; nobody else learns either."
        )
        title = gettext("The invitation")
        return shown_once(self, request, invitation.user, rows, title=title, advice=advice)

    @_role(_("role"))
    def role_label(self, row: User) -> tuple[str, Any]:
        return row.role, row.get_role_display()


@admin.register(GroupRole)
class GroupRolePages(Pages):
    """What the groups at the OpenID provider may do; followed at each log-in."""

    fields = ("group", "role", "is_limited", "projects")
    list_display = ("group", "role_label", "is_limited")
    ordering = ("group",)

    @_role(_("role"))
    def role_label(self, row: GroupRole) -> tuple[str, Any]:
        return row.role, row.get_role_display()


SHUTS_OUT = _(
    "This would shut you out: you come from %(address)s. Allow a network of your own first."
)


@admin.register(LogInNetwork)
class LogInNetworkPages(Pages):
    """From where people may log in; nobody shuts themselves out here."""

    fields = ("network", "role", "note")
    list_display = ("network", "whom", "note")
    ordering = ("role", "network")

    @display(description=_("who"))
    def whom(self, row: LogInNetwork) -> Any:
        return row.get_role_display() or _("Everybody")

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Return a form that knows who saves it, and from where."""
        form = super().get_form(request, obj, **kwargs)

        def clean(self: Any) -> dict[str, Any]:
            given: dict[str, Any] = forms.ModelForm.clean(self) or {}
            with suppress(ValueError):  # no network: the row says so itself
                rule = (given.get("role", ""), ip_network(given.get("network", "").strip()))
                if _shuts_out(request, without=obj, rule=rule):
                    raise ValidationError(_who_is_shut_out(request))
            return given

        return type("NetworkForm", (form,), {"clean": clean})

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if request.method == "POST" and row is not None and _shuts_out(request, without=row):
            messages.error(request, _who_is_shut_out(request))
            return self.to_page_of(row)
        # Unfold publishes no types
        return super().delete_view(request, object_id, extra_context)  # type: ignore[no-any-return]


def _shuts_out(
    request: HttpRequest, *, without: LogInNetwork | None, rule: networks.Rule | None = None
) -> bool:
    left = [
        (row.role, ip_network(row.network)) for row in LogInNetwork.objects.all() if row != without
    ]
    left += [rule] if rule else []
    assert isinstance(request.user, User)
    return not networks.allows(left, request.user.role, networks.address_of(request))


def _who_is_shut_out(request: HttpRequest) -> str:
    return SHUTS_OUT % {"address": networks.address_of(request)}
