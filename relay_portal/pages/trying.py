"""The page that sends a test message of a credential."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from domains.foundation import rights
from domains.foundation.text.addresses import Address, BadAddress, parse_path
from domains.models import Credential
from domains.operations import audit
from domains.operations.pages import client_address
from domains.senders.credentials import usual_sender
from relay_portal.pages.credential_use import credential_of
from smtp_listener.manual.handing_in import NotTaken
from smtp_listener.manual.trying import send_test


class TestForm(forms.Form):
    """To whom; the token makes a form that is sent twice one message."""

    __test__ = False  # not for pytest

    to = forms.CharField(label=_("To this address"), max_length=320)
    token = forms.UUIDField(widget=forms.HiddenInput)

    def clean_to(self) -> Address:
        try:
            return parse_path(self.cleaned_data["to"].strip().strip("<>"), smtputf8=True)
        except BadAddress as error:
            raise ValidationError(_("This is no mail address.")) from error


def page(request: HttpRequest, object_id: str) -> HttpResponse:
    if not rights.may(request.user, "send_test", "domains.credential"):
        raise PermissionDenied
    row = credential_of(request, object_id)
    given = request.POST if request.method == "POST" else None
    form = TestForm(given, initial={"token": uuid.uuid4()})
    if given is not None and form.is_valid():
        try:
            return _send(request, row, form.cleaned_data)
        except NotTaken as error:
            form.add_error(None, str(error))
    context = {
        **admin.site.each_context(request),
        "title": gettext("Send a test"),
        "original": row,
        "form": form,
        "sender": usual_sender(row),
    }
    return TemplateResponse(request, "domains/send_test.html", context)


def _send(request: HttpRequest, row: Credential, given: dict[str, Any]) -> HttpResponse:
    def note(details: Mapping[str, Any]) -> None:
        audit.note(
            request.user.get_username(),
            "send_test",
            row,
            details=details,
            client_address=client_address(request),
        )

    made = send_test(row, given["to"], token=given["token"], note=note)
    return redirect("admin:deliveries_message_change", made)
