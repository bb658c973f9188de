"""What an answer or a message that came back means, and which rule says so: for a reply that is
pasted or a file that is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from deliveries.bounces.parsed_report import ReportKind
from deliveries.bounces.parser import read_mails
from deliveries.bounces.pasted import reports_in
from deliveries.classification import classifier, loaded_rules
from deliveries.classification.classifier import PHRASES, Answer, Classified
from deliveries.classification.reply_text import parse
from deliveries.classification.unknown_stage import readings
from deliveries.models import LocalRule
from deliveries.smtp.outcomes import Stage
from relay_portal.pages.words import STEPS
from suppressions.classes import MEANINGS, Class, Fault, Meaning
from suppressions.policy import STANDARD, AddressEvent, decide, group_of

LARGEST = 52_428_800  # bytes of a file; what a report says stands in its first megabyte
SHIPPED = {rule.name: rule for rule in PHRASES}
KINDS = {
    ReportKind.BOUNCE: gettext_lazy("a bounce"),
    ReportKind.DELAY: gettext_lazy("a warning; delivery is still being tried"),
    ReportKind.DELIVERED: gettext_lazy("a confirmation of delivery"),
    ReportKind.COMPLAINT: gettext_lazy("a complaint"),
    ReportKind.AUTO_REPLY: gettext_lazy("an automatic reply"),
    ReportKind.NONE: gettext_lazy("nothing about a delivery"),
}  # fmt: skip


WHOSE = {
    Fault.RECIPIENT: gettext_lazy("the recipient's"), Fault.SENDER: gettext_lazy("the "
        "sender's: the app, its content or its domain"),
    Fault.US: gettext_lazy("ours: this relay's address, name or pace"),
    Fault.NETWORK: gettext_lazy("the network's or the receiving host's"),
    Fault.NOBODY: gettext_lazy("nobody's"),
}  # fmt: skip


CONDITIONS = {
    None: "",
    Stage.RCPT: gettext_lazy("if it answered the recipient"),
    Stage.BODY: gettext_lazy("if it answered the whole message, or stands in a report"),
}


class AskForm(forms.Form):
    reply = forms.CharField(
        label=capfirst(gettext_lazy("a server's reply")),
        max_length=65_536,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    stage = forms.ChoiceField(
        label=capfirst(gettext_lazy("after")),
        required=False,
        choices=[("", gettext_lazy("not known")), *STEPS.items()],
    )
    host = forms.CharField(label=gettext_lazy("MX host"), max_length=253, required=False)
    file = forms.FileField(
        label=capfirst(gettext_lazy("or a mail that came back (.eml)")), required=False
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file is not None and file.size > LARGEST:
            raise forms.ValidationError(_("The file is larger than 50 MB."))
        return file

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if not self.errors and not given.get("reply", "").strip() and not given.get("file"):
            raise forms.ValidationError(_("Paste a reply, or choose a file."))
        return given


@dataclass(frozen=True, slots=True)
class ClassifiedAnswer:
    """One recipient's, or the reply's."""

    recipient: str
    said: str
    found: Classified
    pattern: str
    example: str
    is_local: bool
    suppresses: bool
    condition: str = ""  # under which this holds

    @property
    def meaning(self) -> Meaning:
        return MEANINGS[self.found.class_]

    @property
    def whose(self) -> str:
        return str(WHOSE[self.found.fault])


def page(request: HttpRequest) -> HttpResponse:
    """Classify a reply or a report for anybody with a customer on the phone; nothing of it is
    kept.
    """
    form = AskForm(request.POST, request.FILES) if request.method == "POST" else AskForm()
    context: dict[str, Any] = {
        **admin.site.each_context(request), "title": _("What does it mean?"), "form": form,
        "amount": len(PHRASES),
        "version": classifier.version(),
        "local_amount": LocalRule.objects.filter(is_active=True).count(),
    }  # fmt: skip
    if request.method == "POST" and form.is_valid():
        loaded_rules.load()
        if form.cleaned_data["file"]:
            kind, findings = _of_mail(form.cleaned_data["file"].read(LARGEST))
            context |= {"kind": KINDS[kind], "is_mail": True, "findings": findings}
        else:
            context |= _of_text(form.cleaned_data)
    return TemplateResponse(request, "portal/classification.html", context)


def _of_text(given: dict[str, Any]) -> dict[str, Any]:
    """Read a pasted text as a report where it is one, and else as a reply."""
    for data in reports_in(given["reply"]):
        kind, findings = _of_mail(data)
        if findings and any(each.found.rule for each in findings):
            return {"kind": KINDS[kind], "is_mail": True, "findings": findings}
    return {"kind": _("a reply"), "findings": _of_reply(given)}


def _of_reply(given: dict[str, Any]) -> list[ClassifiedAnswer]:
    """Return what a reply means; two findings where that depends on what it answered."""
    code, enhanced, text = parse(given["reply"])
    stage = Stage(given["stage"]) if given["stage"] else None
    answer = Answer(text, code, enhanced, stage, given["host"].strip())
    return [
        replace(_finding("", given["reply"], found), condition=str(CONDITIONS[at]))
        for at, found in readings(answer)
    ]


def _of_mail(data: bytes) -> tuple[ReportKind, list[ClassifiedAnswer]]:
    kind, fates = read_mails(data)
    return kind, [
        _finding(
            fate.recipient,
            " ".join(filter(None, (str(fate.code or ""), fate.enhanced, fate.text))),
            fate.classified,
        )
        for fate in fates[:100]
    ]


def _finding(recipient: str, said: str, found: Classified) -> ClassifiedAnswer:
    is_local = found.rule.startswith("local/")
    shipped = SHIPPED.get(found.rule)
    added = (
        LocalRule.objects.filter(name=found.rule.removeprefix("local/")).first()
        if is_local
        else None
    )
    pattern, example = (
        (added.pattern, added.example)
        if added
        else (shipped.pattern, shipped.example)
        if shipped
        else ("", "")
    )
    return ClassifiedAnswer(
        recipient, said[:1000], found, pattern, example, is_local, _suppresses(found)
    )


def _suppresses(found: Classified) -> bool:
    """Tell whether one of these is enough under the standard policy."""
    event = AddressEvent(timezone.now(), Class(found.class_), found.is_hard)
    return group_of(event) is not None and decide([event], STANDARD, now=event.at) is not None
