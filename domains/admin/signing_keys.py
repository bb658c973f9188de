"""The portal's pages about DKIM keys."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from domains.models import KeyAlgorithm, SigningKey
from domains.operations.labels import Labels
from domains.operations.pages import Pages, RowVerb
from domains.senders import delegation, key_states
from domains.senders.delegation import SelectorsBusy
from domains.senders.keys import make_key

BUSY = _("Both delegated selectors have a key whose record is needed.")


class SigningKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the stubs only
    """For a new key, which needs a free selector."""

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("domain") and given.get("algorithm") == KeyAlgorithm.RSA:
            try:
                delegation.free_selector(given["domain"])
            except SelectorsBusy as error:
                raise ValidationError(BUSY) from error
        return given


@admin.register(SigningKey)
class SigningKeyPages(Pages):
    """Of the private half nothing is shown, not even that it is there."""

    project_path = "domain__project"
    form = SigningKeyForm
    add_fieldsets = ((None, {"fields": ("domain", "algorithm")}),)
    fields = (
        "record", "algorithm", "condition", "found_since", "sightings", "seen_at", "retires_at",
        "created_at", "public_record",
    )  # fmt: skip
    readonly_fields = fields[:1] + fields[2:]
    list_display = ("record", "algorithm", "standing", "seen_at", "created_at")
    list_select_related = ("domain",)
    verbs = (
        RowVerb("rotate", _("Make its next key"), "autorenew", applies=lambda key: key.is_active),
        RowVerb("start_signing", _("Sign with it"), "key", applies=lambda key: key.may_sign),
        RowVerb(
            "stop_signing",
            _("Retire it"),
            "key_off",
            _("A domain without a key that signs sends unsigned mail."),
            lambda key: key.is_active or key.state in SigningKey.WAITING,
        ),
    )

    def save_model(self, request: HttpRequest, obj: SigningKey, form: Any, change: bool) -> None:
        # the field's choices are the algorithms
        obj.pk = make_key(obj.domain, obj.algorithm).pk  # type: ignore[arg-type]
        obj.refresh_from_db()

    def rotate(self, request: HttpRequest, row: SigningKey) -> str | HttpResponse:
        try:
            key = make_key(row.domain, row.algorithm)  # type: ignore[arg-type]  # as above
        except SelectorsBusy:
            messages.error(request, BUSY)
            return self.to_page_of(row)
        if delegation.target(key):
            return gettext("The key stands in the relay's zone; it takes over by itself.")
        return gettext(
            "Publish %s; the key takes over once every name server has had it for an hour."
        ) % (key.record_name)

    def start_signing(self, request: HttpRequest, row: SigningKey) -> str:
        key_states.sign_alone(row, now=timezone.now())
        return gettext("New mail is signed with this key.")

    def stop_signing(self, request: HttpRequest, row: SigningKey) -> str:
        key_states.retire(row, now=timezone.now())
        return gettext(
            "New mail is no longer signed with this key. Leave its record in DNS until the mail "
            "under way has arrived."
        )

    @display(
        description=_("state"),
        label=Labels({
            "made": "warning", "published": "info", "seen": "info", "signing": "success",
            "retiring": "info", "retired": "",
        }),
    )  # fmt: skip
    def standing(self, row: SigningKey) -> tuple[str, Any]:
        return row.state, row.get_state_display()

    @display(description=_("state"))
    def condition(self, row: SigningKey) -> str:
        return row.get_state_display()

    @display(description=_("record"))
    def record(self, row: SigningKey) -> str:
        return row.record_name
