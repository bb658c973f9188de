"""The page on which a message is sent again to a corrected address."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from deliveries.models import Message
from domains.foundation import rights
from domains.foundation.text.addresses import Address, BadAddress, parse_path
from domains.models import Credential
from domains.operations import audit
from domains.operations.pages import Pages, client_address
from smtp_listener.manual.handing_in import NotTaken
from smtp_listener.manual.resending import Resend, resend, why_not


class ResendForm(forms.Form):
    """To whom, as which app, and why; the token makes a form that is sent twice one message."""

    to = forms.CharField(label=_("To this address"), max_length=320)
    credential = forms.ModelChoiceField(Credential.objects.none(), label=capfirst(_("credential")))
    reason = forms.CharField(
        label=_("Why"), max_length=500, help_text=_("It goes into the audit log.")
    )
    token = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, original: Message, **kwargs: Any) -> None:  # Django's signature
        super().__init__(*args, **kwargs)
        chosen = self.fields["credential"]
        assert isinstance(chosen, forms.ModelChoiceField)
        chosen.queryset = (
            Credential.objects.usable()
            .filter(project=original.project_id)
            .select_related("project")
            .order_by("name")
        )
        self.initial.setdefault("credential", original.credential_id)

    def clean_to(self) -> Address:
        try:
            return parse_path(self.cleaned_data["to"].strip().strip("<>"), smtputf8=True)
        except BadAddress as error:
            raise ValidationError(_("This is no mail address.")) from error

    def clean_reason(self) -> str:
        return audit.one_line(self.cleaned_data["reason"])


def page(request: HttpRequest, object_id: str) -> HttpResponse:
    pages = admin.site._registry[Message]
    assert isinstance(pages, Pages)
    if not rights.may(request.user, "resend", "deliveries.message"):
        raise PermissionDenied
    original = pages.get_object(request, object_id)
    if not isinstance(original, Message):
        raise Http404
    given = request.POST if request.method == "POST" else None
    first = {"to": request.GET.get("instead", ""), "token": uuid.uuid4()}
    form = ResendForm(given, original=original, initial=first)
    if given is not None and form.is_valid():
        try:
            return _send(request, pages, original, form.cleaned_data)
        except NotTaken as error:
            form.add_error(None, str(error))
    context = {
        **admin.site.each_context(request),
        "title": gettext("Resend to another address"),
        "original": original,
        "form": form,
        "why_not": why_not(original),
    }
    return TemplateResponse(request, "deliveries/resend.html", context)


def _send(
    request: HttpRequest, pages: Pages, original: Message, given: dict[str, Any]
) -> HttpResponse:
    def note(details: Mapping[str, Any]) -> None:
        audit.note(
            request.user.get_username(),
            "resend",
            original,
            reason=given["reason"],
            details=details,
            client_address=client_address(request),
        )

    asked = Resend(
        original, given["to"], given["credential"], request.user.get_username(), given["token"]
    )
    made = resend(asked, note)
    pages.message_user(request, gettext("Sent again to %s: this is the new message.") % given["to"])
    return redirect("admin:deliveries_message_change", made.message_id)
