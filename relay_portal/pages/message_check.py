"""Whether a receiver would take a message for signed: for one that is pasted or dropped."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from domains.identity import signatures
from domains.identity.sentences import sentence

LARGEST = 33_554_432  # bytes
STATES = {
    "pass": (gettext_lazy("Good"), "delivered"),
    "fail": (gettext_lazy("Bad"), "bounced"),
    "unknown": (gettext_lazy("No answer"), "deferred"),
}


class MessageForm(forms.Form):
    file = forms.FileField(label=capfirst(gettext_lazy("a message (.eml)")), required=False)
    message = forms.CharField(
        label=capfirst(gettext_lazy("or its source, pasted whole")),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8}),
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if self.errors:
            return given
        file = given.get("file")
        if file is not None and file.size > LARGEST:
            raise forms.ValidationError(_("The file is larger than 32 MB."))
        if file is None and not given.get("message", "").strip():
            raise forms.ValidationError(_("Paste a message, or choose a file."))
        return given

    def data_of(self) -> bytes:
        file = self.cleaned_data["file"]
        if file is not None:
            return bytes(file.read(LARGEST))
        return str(self.cleaned_data["message"]).lstrip("\r\n").encode()


def page(request: HttpRequest) -> HttpResponse:
    """Check a message for anybody who is logged in; nothing of it is kept."""
    form = MessageForm(request.POST, request.FILES) if request.method == "POST" else MessageForm()
    context = {
        **admin.site.each_context(request),
        "title": _("Check a message"),
        "form": form,
    }
    if request.method == "POST" and form.is_valid():
        found = signatures.check_message(form.data_of())
        context |= {"found": found, "signatures": [_shown(each) for each in found["signatures"]]}
    return TemplateResponse(request, "portal/message_check.html", context)


def _shown(each: dict[str, Any]) -> dict[str, Any]:
    label, colour = STATES[each["state"]]
    text = sentence(each["slip"], each["given"])
    return {**each, "label": label, "colour": colour, "text": text}
