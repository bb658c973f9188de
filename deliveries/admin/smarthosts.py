"""The portal's pages about smarthosts: written down, changed and tried; secrets go in and never
come out.
"""

from __future__ import annotations

import asyncio
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from deliveries.models import Smarthost
from deliveries.routing import smarthost_secrets, smarthosts
from deliveries.routing.smarthost_presets import PRESETS
from deliveries.sending import smarthost_trial
from domains.foundation.secrets.keyring import KeyRingError
from domains.operations.labels import Labels
from domains.operations.large_lists import InOrder
from domains.operations.pages import Pages, RowVerb
from domains.operations.row_forms import RowForm

LIMITS = smarthosts.LIMITS
BY_TOKEN = ("grant", "token_url", "client_id", "scope", "tenant")
KEPT = _("Leave it empty to keep what is there. Nobody can read it here.")
STATES = {"open": _("Open"), "paused": _("Paused"), "closed": _("Closed")}


def _secret(label: Any) -> forms.CharField:
    return forms.CharField(
        label=capfirst(label),
        required=False,
        strip=False,
        max_length=4000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=KEPT,
    )


class SmarthostForm(RowForm):
    """`hosts_text` has a host on each line; the secrets are only taken, never shown."""

    preset = forms.ChoiceField(
        label=capfirst(_("preset")),
        required=False,
        choices=[("", "–"), *((each.name, each.title) for each in PRESETS.values())],
        widget=UnfoldAdminSelectWidget,
        help_text=_("Fills in what is left empty below: hosts, log-in, addresses and limits."),
    )
    hosts_text = forms.CharField(
        label=capfirst(_("hosts")),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_(
            "HOST:PORT/TLS, one to a line, in their order, such as smtp.example.com:587/verified "
            "or smtp.example.com:465/implicit."
        ),
    )

    password = _secret(_("password"))
    client_secret = _secret(_("client secret"))
    refresh_token = _secret(_("refresh token"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in (*BY_TOKEN, "username"):
            if name in self.fields:
                self.fields[name].required = False
        if "hosts_text" in self.fields and self.instance.pk:
            lines = [f"{_bracketed(host)}:{port}/{tls}" for host, port, tls in self.instance.hosts]
            self.fields["hosts_text"].initial = "\n".join(lines)

    def secrets(self) -> dict[str, str]:
        """Return what was typed; nothing for what was left empty."""
        return {
            name: str(self.cleaned_data.get(name) or "")
            for name in smarthost_secrets.NAMES
            if self.cleaned_data.get(name)
        }

    def clean_hosts_text(self) -> list[list[Any]]:
        return [_host(line) for line in str(self.cleaned_data["hosts_text"]).split() if line]

    def _post_clean(self) -> None:
        """Fill in the preset's values and check the whole row (Django calls this after the single
        fields).
        """
        super()._post_clean()  # type: ignore[misc]  # the stubs leave it out
        if self.errors:
            return
        row: Smarthost = self.instance
        row.hosts = self.cleaned_data["hosts_text"]
        if preset := PRESETS.get(self.cleaned_data.get("preset") or ""):
            for name, value in preset.values(row.tenant).items():
                if not getattr(row, name) or (
                    name == "mechanism" and name not in self.changed_data
                ):
                    setattr(row, name, value)
        try:
            smarthosts.check(row, smarthosts.kept_secrets(row) | self.secrets())
        except ValidationError as error:
            self.add_error(None, ValidationError(error.messages))
        except KeyRingError as error:
            self.add_error(None, str(error))


def _host(line: str) -> list[Any]:
    place, _slash, tls = line.partition("/")
    host, _colon, port = place.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) < 6):
        raise ValidationError(gettext("%s is no host, port and TLS.") % line)
    return [host, int(port), tls or Smarthost.HostTls.VERIFIED.value]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class SmarthostList(InOrder):
    """Looks up the states at once for all smarthosts of a page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        found = smarthosts.states(self.result_list)
        for row in self.result_list:
            row.state = found[row.pk]


@admin.register(Smarthost)
class SmarthostPages(Pages):
    form = SmarthostForm
    list_reads = frozenset({"hosts"})
    list_display = ("name", "hosts_shown", "mechanism", "username", "state")
    ordering = ("name",)
    readonly_fields = ("hosts_shown", "secret_shown", "state")
    set_once = ("name",)  # its lane has it
    fieldsets = (
        (None, {"fields": ("name", "preset", "hosts_text")}),
        (
            _("Log-in"),
            {
                "fields": ("mechanism", "username", smarthost_secrets.PASSWORD),
                "description": _("Over TLS with a verified certificate only."),
            },
        ),
        (
            _("Access tokens"),
            {
                "fields": (
                    *BY_TOKEN, smarthost_secrets.CLIENT_SECRET, smarthost_secrets.REFRESH_TOKEN,
                ),
                "description": _("For XOAUTH2 and OAUTHBEARER; renewed before their end."),
            },
        ),
        (_("Its limits"), {"fields": LIMITS, "description": _("Empty: no limit.")}),
    )  # fmt: skip
    verbs = (
        RowVerb(
            "try_login",
            _("Try the log-in"),
            "login",
            _("It connects to each host and logs in, and sends nothing. This may take a minute."),
        ),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SmarthostList]:
        return SmarthostList

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or self.has_change_permission(request, obj):
            return self.fieldsets
        shown = ("name", "hosts_shown", "state", "mechanism", "username", "secret_shown")
        return ((None, {"fields": (*shown, *BY_TOKEN, *LIMITS)}),)

    def save_model(
        self, request: HttpRequest, obj: Smarthost, form: SmarthostForm, change: bool
    ) -> None:
        if change:
            smarthosts.change(obj, form.secrets(), columns=form.changed_columns())
        else:
            smarthosts.add(obj, form.secrets())

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """Say that a secret is another one, and never which."""
        typed = [name for name in form.changed_data if name in smarthost_secrets.NAMES]
        form.changed_data = [name for name in form.changed_data if name not in typed]
        message = super().construct_change_message(request, form, formsets, add)
        return message | {name: ["…", "…"] for name in typed}

    def delete_model(self, request: HttpRequest, obj: Smarthost) -> None:
        smarthosts.remove(obj)

    def try_login(self, request: HttpRequest, row: Smarthost) -> str:
        found = asyncio.run(smarthost_trial.trial(row))
        return " · ".join(f"{each['host']}:{each['port']}: {each['said']}" for each in found)

    @display(description=_("hosts"))
    def hosts_shown(self, row: Smarthost) -> str:
        return ", ".join(f"{_bracketed(host)}:{port}/{tls}" for host, port, tls in row.hosts)

    @display(description=_("secret"))
    def secret_shown(self, row: Smarthost) -> str:
        return gettext("Kept under the key ring") if row.sealed else "–"

    @display(
        description=_("state"), label=Labels({"closed": "danger", "paused": "warning", "open": ""})
    )
    def state(self, row: Smarthost) -> tuple[str, Any]:
        found = getattr(row, "state", None) or smarthosts.state(row)  # in a list it is there
        return found, STATES[found]
