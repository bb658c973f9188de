"""The portal's pages about sending domains."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldBooleanWidget

from domains.foundation.text.addresses import BadAddress, canonical_domain
from domains.identity import checking
from domains.identity.sentences import sentence
from domains.identity.zone_text import quoted
from domains.models import Credential, Domain, DomainChange
from domains.operations.pages import Pages, RowVerb
from domains.reporting import summary
from domains.senders import adding

FINDINGS = {
    "found": (_("Found"), "delivered"),
    "missing": (_("Missing"), "bounced"),
    "wrong": (_("Wrong"), "bounced"),
    "spreading": (_("Spreading"), "deferred"),
    "unreachable": (_("Out of reach"), "deferred"),
    "bogus": (_("DNSSEC fails"), "bounced"),
    "unknown": (_("No answer"), "deferred"),
    "unchecked": (_("Not checked yet"), "queued"),
}
VERDICTS = {
    "pass": {"label": _("Good"), "colour": "delivered"},
    "fail": {"label": _("Bad"), "colour": "bounced"},
    "unknown": {"label": _("No answer"), "colour": "deferred"},
}
CHANGES = 50  # of the newest on the page
LONG = 120  # characters of a value in the history
PURPOSES = {"ownership": _("Ownership"), "dkim": "DKIM", "spf": "SPF", "dmarc": "DMARC"}


class DomainForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the stubs only
    """For a new domain; nothing of it changes later."""

    class Meta:
        help_texts = {"name": _("As it stands in an address: shop.example, or 日本語.jp.")}

    with_ed25519 = forms.BooleanField(
        label=_("an Ed25519 key too"), required=False, widget=UnfoldBooleanWidget
    )
    assume = forms.BooleanField(
        label=_("let it send without a look at DNS"),
        help_text=_("On your word."),
        required=False,
        widget=UnfoldBooleanWidget,
    )

    def clean_name(self) -> str:
        try:
            return canonical_domain(self.cleaned_data["name"])
        except BadAddress as error:
            raise ValidationError(_("This is no domain name.")) from error

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if (
            given.get("assume")
            and Domain.objects.verified().filter(name=given.get("name")).exists()
        ):
            raise ValidationError(_("Another project has verified this domain."))
        return given


@admin.register(Domain)
class DomainPages(Pages):
    project_path = "project"
    form = DomainForm
    add_fieldsets = ((None, {"fields": ("project", "name", "with_ed25519", "assume")}),)
    fields = ("name", "project", "condition", "verified_at", "checked_at")
    readonly_fields = ("condition", "verified_at", "checked_at")
    list_display = ("name", "project", "standing", "checked_at")
    list_select_related = ("project",)
    ordering = ("name",)
    change_form_template = "domains/domain.html"
    verbs = (
        RowVerb("check_now", _("Check now"), "fact_check"),
        RowVerb(
            "take_on_word",
            _("Let it send without a look at DNS"),
            "verified_user",
            _(
                "Receivers judge mail by these records. Without them it is likely to be refused "
                "or to land in the spam folder."
            ),
            lambda domain: not domain.is_verified,
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Offer to believe a word to those only who may: it could be another project's domain."""
        form = super().get_form(request, obj, **kwargs)
        if not self.may(request, "take_on_word"):
            form.base_fields.pop("assume", None)
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None and not self.may(request, "take_on_word"):
            return ((None, {"fields": ("project", "name", "with_ed25519")}),)
        return super().get_fieldsets(request, obj)

    def save_model(self, request: HttpRequest, obj: Domain, form: Any, change: bool) -> None:
        given = form.cleaned_data
        added = adding.add_domain(
            obj.project,
            obj.name,
            with_ed25519=given["with_ed25519"],
            is_assumed=given.get("assume", False),
        )
        obj.pk = added.pk
        obj.refresh_from_db()

    def response_add(
        self, request: HttpRequest, obj: Domain, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the records that are to be published now."""
        messages.success(
            request,
            gettext("%s was added. Publish these records in its DNS; they are looked for hourly.")
            % obj.name,
        )
        return HttpResponseRedirect(reverse("admin:domains_domain_change", args=[obj.pk]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        reports = summary.summary(row) if row is not None else {}
        failure = (reports.get("verified") or {}).get("last_failure") or {"signatures": []}
        given = {
            "records": [_shown(finding) for finding in checking.records_of(row)]
            if row is not None
            else [],
            "mail": [
                {**each, "text": sentence(each["slip"], each["given"]), **VERDICTS[each["state"]]}
                for each in (checking.mail_of(row) if row is not None else [])
            ],
            "changes": [_changed(change) for change in row.changes.order_by("-at")[:CHANGES]]
            if row is not None
            else [],
            "reports": reports,
            "failed_signatures": [
                {**each, "text": sentence(each["slip"], each["given"]), **VERDICTS[each["state"]]}
                for each in failure["signatures"]
            ],
            **(extra_context or {}),
        }
        # Unfold publishes no types
        return super().change_view(request, object_id, form_url, given)  # type: ignore[no-any-return]

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Not while a credential is limited to it: without the domain that limit would be empty,
        which means all domains.
        """
        row = self.get_object(request, object_id)
        limited = Credential.objects.usable().filter(domains=row) if row is not None else ()
        if not limited:
            # as above
            return super().delete_view(request, object_id, extra_context)  # type: ignore[no-any-return]
        names = ", ".join(map(str, limited))
        messages.error(
            request,
            gettext("Credentials are limited to this domain; change or revoke them first: %s")
            % names,
        )
        return HttpResponseRedirect(reverse("admin:domains_domain_change", args=[object_id]))

    def check_now(self, request: HttpRequest, row: Domain) -> str:
        checking.check([row], now=timezone.now())
        return gettext("The records were looked up; below is what DNS says.")

    def take_on_word(self, request: HttpRequest, row: Domain) -> str | HttpResponse:
        try:
            adding.assume(row)
        except adding.AlreadyVerified:
            messages.error(request, gettext("Another project has verified this domain."))
            return HttpResponseRedirect(reverse("admin:domains_domain_change", args=[row.pk]))
        return gettext("The project may send as this domain from now on.")

    @display(
        description=_("state"),
        label={"verified": "success", "assumed": "info", "unverified": "warning"},
    )
    def standing(self, row: Domain) -> tuple[str, Any]:
        if row.is_assumed:
            return "assumed", _("Taken on an operator's word")
        return ("verified", _("Verified")) if row.is_verified else ("unverified", _("Not verified"))

    @display(description=_("state"))
    def condition(self, row: Domain) -> Any:
        return self.standing(row)[1]


def _shown(finding: dict[str, Any]) -> dict[str, Any]:
    label, colour = FINDINGS[finding["state"]]
    return {
        **finding,
        "purpose": PURPOSES[finding["purpose"]],
        "label": label,
        "colour": colour,
        "text": sentence(finding["slip"], finding["given"], finding["text"]),
        "strings": quoted(finding["value"]) if finding["type"] == "TXT" else "",
        "silent": [host for host in finding["servers"] if host["state"] == "silent"],
        "differs": finding["state"] not in ("found", "missing"),
    }


def _changed(change: DomainChange) -> dict[str, Any]:
    purpose, _space, name = change.subject.partition(" ")
    return {
        "at": change.at,
        "record": f"{PURPOSES.get(purpose, purpose)} {name}",
        "before": _told(change.before),
        "after": _told(change.after),
    }


def _told(side: dict[str, Any]) -> str:
    """The state, and what stood there."""
    if not side:
        return "–"
    state = side["state"]
    label = FINDINGS[state][0] if state in FINDINGS else VERDICTS[state]["label"]
    said = " · ".join(side["found"]) or side["text"]
    return f"{label}: {said if len(said) < LONG else said[:LONG] + '…'}"
