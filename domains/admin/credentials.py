"""The portal's pages about credentials."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from domains.foundation import rights
from domains.models import Credential, CredentialKind
from domains.operations.labels import Labels
from domains.operations.pages import Pages, RowVerb
from domains.operations.row_forms import RowForm
from domains.operations.shown_once import shown_once
from domains.senders import client_settings, credentials


class CredentialForm(RowForm):
    class Meta:
        widgets = {"networks": UnfoldAdminTextInputWidget}

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        kind, project = (
            given.get("kind", self.instance.kind),
            given.get("project") or getattr(self.instance, "project", None),
        )
        if "networks" in given:
            given["networks"] = credentials.checked_networks(given["networks"] or [], kind)
            if kind == CredentialKind.NETWORK and not given["networks"]:
                self.add_error(
                    "networks", _("A trusted network needs at least one client network.")
                )
        if any(
            domain.project_id != getattr(project, "pk", None)
            for domain in given.get("domains") or ()
        ):
            self.add_error("domains", _("These must be domains of the credential's project."))
        return given


LIMITS = (
    "priority",
    "highest_priority",
    "max_size",
    "max_recipients",
    "per_minute",
    "per_day",
    "max_sessions",
)


@admin.register(Credential)
class CredentialPages(Pages):
    project_path = "project"
    form = CredentialForm
    add_fieldsets = (
        (None, {"fields": ("project", "name", "kind", "networks", "domains", "is_sandboxed")}),
        (_("Limits"), {"fields": LIMITS}),
    )
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "project",
                    "kind",
                    "username",
                    "condition",
                    "last_used_at",
                    "last_used_from",
                    "networks",
                    "domains",
                    "is_sandboxed",
                )
            },
        ),
        (_("Limits"), {"fields": LIMITS}),
    )
    readonly_fields = ("username", "condition", "last_used_at", "last_used_from")
    set_once = ("name", "project", "kind")
    list_display = ("name", "project", "username", "standing", "priority", "last_used_at")
    list_select_related = ("project",)
    ordering = ("project__name", "name")
    change_form_outer_after_template = "domains/credential_page.html"
    verbs: ClassVar[Sequence[RowVerb]] = (
        RowVerb(
            "send_test",
            _("Send a test"),
            "send",
            applies=lambda credential: not credential.is_revoked,
        ),
        RowVerb(
            "revoke",
            _("Revoke"),
            "block",
            _(
                "Listeners refuse it at once and for good. What it has handed in is still "
                "delivered."
            ),
            lambda credential: not credential.is_revoked,
        ),
    )

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Offer the domains of its project; to a new credential, all of them by project."""
        form = super().get_form(request, obj, **kwargs)
        if offered := form.base_fields.get("domains"):
            if obj:
                offered.queryset = offered.queryset.filter(project=obj.project_id).only("name")
            else:
                offered.widget.group_field = "project"
                offered.choices = partial(_by_project, offered.queryset)
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Let those only choose limits who may change them."""
        if obj is None and not self.may(request, rights.CHANGE):
            return self.add_fieldsets[:1]
        return super().get_fieldsets(request, obj)

    def save_model(self, request: HttpRequest, obj: Credential, form: Any, change: bool) -> None:
        if change:
            return super().save_model(request, obj, form, change)
        limits = {name: getattr(obj, name) for name in LIMITS}
        issued, secret = credentials.issue(
            obj.project,
            obj.name,
            kind=obj.kind,
            networks=obj.networks,
            is_sandboxed=obj.is_sandboxed,
            **limits,
        )
        obj.pk = issued.pk
        obj.refresh_from_db()
        # shown in the answer to this very request, and kept nowhere
        request.portal_secret = secret  # type: ignore[attr-defined]
        return None

    def response_add(
        self, request: HttpRequest, obj: Credential, post_url_continue: str | None = None
    ) -> HttpResponse:
        secret = getattr(request, "portal_secret", "")
        if not secret:
            # as above
            return super().response_add(request, obj, post_url_continue)  # type: ignore[no-any-return]
        rows = [
            (gettext("Host"), settings.EKIDEN_HOSTNAME),
            (gettext("Port, TLS from the first byte"), settings.EKIDEN_SUBMISSIONS_PORT),
            (gettext("Port, STARTTLS"), settings.EKIDEN_SUBMISSION_PORT),
            (gettext("User name"), obj.username),
            (gettext("Secret"), secret),
        ]
        certificate = settings.EKIDEN_DATA / "certificate.pem"
        return shown_once(
            self,
            request,
            obj,
            rows,
            title=gettext("The new credential"),
            snippets=client_settings.snippets(
                obj.username or "", secret, credentials.usual_sender(obj) or "hello@shop.example"
            ),
            watch=reverse("admin:domains_credential_use", args=[obj.pk]),
            certificate=certificate if certificate.exists() else None,
        )

    def send_test(self, request: HttpRequest, row: Credential) -> HttpResponse:
        """Lead to the page that asks to whom; what is done there is written down there."""
        return redirect("admin:domains_credential_send_test", row.pk)

    def revoke(self, request: HttpRequest, row: Credential) -> str:
        row.revoke(now=timezone.now())
        return gettext("Revoked: listeners refuse it from now on.")

    @display(description=_("state"), label=Labels({"in use": "success", "revoked": "danger"}))
    def standing(self, row: Credential) -> tuple[str, Any]:
        return ("revoked", _("Revoked")) if row.is_revoked else ("in use", _("In use"))

    @display(description=_("state"))
    def condition(self, row: Credential) -> Any:
        return self.standing(row)[1]


def _by_project(domains: Any) -> list[tuple[str, list[tuple[int, str]]]]:
    listed = domains.order_by("project__name", "name").values_list("project__name", "pk", "name")
    return [
        (project, [(pk, name) for _project, pk, name in those])
        for project, those in groupby(listed, itemgetter(0))
    ]
