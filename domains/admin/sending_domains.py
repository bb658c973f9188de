"""The portal's pages about sending domains."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldBooleanWidget

from domains.admin import delegated_keys, printed_records
from domains.admin.return_path_in_use import leaves_with
from domains.admin.shown_records import VERDICTS, changed, shown
from domains.foundation import rights
from domains.foundation.dns.resolver import TemporaryFailure
from domains.foundation.text.addresses import BadAddress, canonical_domain
from domains.foundation.text.masking import masked
from domains.identity import checking, subdomains
from domains.identity.sentences import sentence
from domains.models import Credential, Domain
from domains.operations.labels import Labels
from domains.operations.pages import Pages, RowVerb
from domains.operations.row_forms import RowForm
from domains.reporting import summary
from domains.senders import adding, delegation, domain_alerts, return_paths

CHANGES = 50  # of the newest on the page


class DomainForm(RowForm):
    """For a new domain; only the label of its return path changes later."""

    class Meta:
        help_texts = {"name": _("As it stands in an address: shop.example, or 日本語.jp.")}

    with_ed25519 = forms.BooleanField(
        label=capfirst(_("an Ed25519 key too")), required=False, widget=UnfoldBooleanWidget
    )
    assume = forms.BooleanField(
        label=capfirst(_("let it send without a look at DNS")),
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
    fields = (
        "name", "project", "condition", "verified_at", "checked_at", "leaves_with",
        "covers_subdomains", "return_path_label", "rotation_days",
    )  # fmt: skip
    readonly_fields = fields[2:7]
    set_once = ("name", "project")
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
            lambda domain: not domain.is_verified or domain.lost_at is not None,
        ),
        RowVerb(
            "allow_subdomains",
            _("Let names below it send"),
            "account_tree",
            _("Any name below the domain may stand in From; the domain signs."),
            lambda domain: not domain.covers_subdomains,
        ),
        RowVerb(
            "forbid_subdomains",
            _("Let only the domain itself send"),
            "block",
            applies=lambda domain: domain.covers_subdomains,
        ),
        *delegated_keys.VERBS,
    )

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
        if change:
            stored = Domain.objects.get(pk=obj.pk)
            if "return_path_label" in form.changed_data:
                return_paths.choose(stored, given["return_path_label"], now=timezone.now())
            if "rotation_days" in form.changed_data:
                delegated_keys.choose_days(stored, given["rotation_days"])
            return
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

    def response_post_save_change(self, request: HttpRequest, obj: Domain) -> HttpResponse:
        """Show the record of the return path that was chosen."""
        return self.to_page_of(obj)

    def page_context(self, request: HttpRequest, row: Domain) -> dict[str, Any]:
        reports = summary.summary(row)
        if not rights.reads_addresses(request.user):  # a receiver's words name the recipient
            for refusal in reports.get("refusals", ()):
                refusal["last_answer"] = masked(refusal["last_answer"])
        failure = (reports.get("verified") or {}).get("last_failure") or {"signatures": []}
        return {
            "records": [shown(finding) for finding in checking.records_of(row)],
            "mail": [_in_words(each) for each in checking.mail_of(row)],
            "alerts": [domain_alerts.sentence(alert) for alert in domain_alerts.open_alerts(row)],
            "changes": [changed(change) for change in row.changes.order_by("-at")[:CHANGES]],
            "reports": reports,
            "failed_signatures": [_in_words(each) for each in failure["signatures"]],
        }

    def get_urls(self) -> list[URLPattern]:
        place = path(
            "<path:object_id>/print/",
            self.admin_site.admin_view(self.print_view),
            name="domains_domain_print",
        )
        return [place, *super().get_urls()]

    def print_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show one page to print, for who may see the domain."""
        row = self.seen_row(request, object_id)
        return TemplateResponse(request, "domains/printed.html", printed_records.page(row))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Refuse to delete a domain to which a credential is limited: an empty limit would mean all
        domains.
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

    def allow_subdomains(self, request: HttpRequest, row: Domain) -> str | HttpResponse:
        try:
            subdomains.allow(row)
        except subdomains.StrictAlignment as error:
            refusal = gettext(
                "The DMARC record at %(name)s has adkim=s, so receivers take no signature of "
                "%(domain)s for names below it. Remove adkim=s there, or add each of the names."
            ) % {"name": f"_dmarc.{error.domain}", "domain": row.name}
        except TemporaryFailure:
            refusal = gettext("DNS gave no answer about the DMARC policy. Try it again.")
        else:
            return gettext("Any name below the domain may send from now on.")
        messages.error(request, refusal)
        return self.to_page_of(row)

    def delegate_keys(self, request: HttpRequest, row: Domain) -> str | HttpResponse:
        if refusal := delegated_keys.delegate(row):
            messages.error(request, refusal)
            return self.to_page_of(row)
        return gettext("Publish both CNAMEs; then the key changes by itself.")

    def keep_keys(self, request: HttpRequest, row: Domain) -> str:
        delegation.end(row)
        return gettext("The next keys of this domain stand in its own zone.")

    def forbid_subdomains(self, request: HttpRequest, row: Domain) -> str:
        subdomains.forbid(row, now=timezone.now())
        return gettext("Only the domain itself may send from now on.")

    @display(
        description=_("state"),
        label=Labels(
            {
                "verified": "success",
                "assumed": "info",
                "unverified": "warning",
                "lost": "danger",
                "lapsed": "danger",
            }
        ),
    )
    def standing(self, row: Domain) -> tuple[str, Any]:
        if row.is_assumed:
            return "assumed", _("Taken on an operator's word")
        if row.lapsed_at is not None:
            return "lapsed", _("No longer verified: its proof is gone from DNS")
        if row.lost_at is not None:
            return "lost", _("Verified; its proof is gone from DNS")
        return ("verified", _("Verified")) if row.is_verified else ("unverified", _("Not verified"))

    @display(description=_("return path"))
    def leaves_with(self, row: Domain) -> str:
        return leaves_with(row)

    @display(description=_("state"))
    def condition(self, row: Domain) -> Any:
        return self.standing(row)[1]


def _in_words(each: Any) -> dict[str, Any]:
    return {**each, "text": sentence(each["slip"], each["given"]), **VERDICTS[each["state"]]}
