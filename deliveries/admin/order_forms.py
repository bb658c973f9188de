"""The forms that an order is given with: which deliveries, and what shall be done to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from deliveries.models import Lane, Order, Route
from deliveries.models.states import LIVE
from deliveries.routing import routes
from deliveries.steering import orders
from deliveries.steering.selection import Selection
from domains.foundation.text.addresses import BadAddress, canonical_domain, parse_path
from domains.models import Credential, Project
from domains.operations import audit

MEANINGS: dict[str, Promise | str] = {
    Order.Verb.RETRY: _(
        "They are due at once, and their lanes forget the pauses that they have learned."
    ),
    Order.Verb.HOLD: _(
        "They wait until they are released. What is still held at its deadline expires."
    ),
    Order.Verb.RELEASE: _(
        "They go on, whatever else is paused; only the emergency stop and a pause of their lane "
        "hold them up."
    ),
    Order.Verb.REROUTE: _("Where they go is looked up anew; or they go to the host that you name."),
    Order.Verb.CANCEL: _("They end here, and nobody is told. It cannot be undone."),
    Order.Verb.BOUNCE: _(
        "They end here, and their senders get a report that holds your reason. It cannot be undone."
    ),
}

HOUR = 3600


AGES = (
    (0, _("any")),
    (HOUR, _("1 hour")),
    (6 * HOUR, _("6 hours")),
    (24 * HOUR, _("1 day")),
    (72 * HOUR, _("3 days")),
)


class SelectionForm(forms.Form):
    """Which deliveries are meant; what it has no field for on the page comes from the page that
    led here.
    """

    project = forms.ModelChoiceField(
        Project.objects.all(), label=capfirst(_("project")), required=False
    )
    credential = forms.ModelChoiceField(
        Credential.objects.select_related("project"),
        label=capfirst(_("credential")),
        required=False,
    )
    domain = forms.CharField(label=capfirst(_("recipient domain")), max_length=253, required=False)
    recipient = forms.CharField(label=capfirst(_("recipient")), max_length=320, required=False)
    state = forms.ChoiceField(
        label=capfirst(_("state")),
        choices=[("", _("any")), *((each.value, each.label) for each in LIVE)],
        required=False,
    )
    older = forms.TypedChoiceField(
        label=capfirst(_("waits longer than")),
        choices=AGES,
        coerce=int,
        empty_value="0",
        required=False,
    )
    is_held = forms.BooleanField(label=capfirst(_("only what is put aside")), required=False)
    everything = forms.BooleanField(label=capfirst(_("everything that waits")), required=False)
    besides_reports = forms.BooleanField(required=False, widget=forms.HiddenInput)
    lane = forms.ModelChoiceField(Lane.objects.all(), required=False, widget=forms.HiddenInput)
    since = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    before = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    ids = forms.CharField(required=False, widget=forms.HiddenInput)
    messages = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_domain(self) -> str:
        try:
            return (
                canonical_domain(self.cleaned_data["domain"]) if self.cleaned_data["domain"] else ""
            )
        except BadAddress as error:
            raise ValidationError(_("This is no domain name.")) from error

    def clean_recipient(self) -> str:
        try:
            given = self.cleaned_data["recipient"].strip().strip("<>")
            return parse_path(given, smtputf8=True).key if given else ""
        except BadAddress as error:
            raise ValidationError(_("This is no mail address.")) from error

    def clean_ids(self) -> str:
        return _checked_ids(self.cleaned_data["ids"])

    def clean_messages(self) -> str:
        return _checked_ids(self.cleaned_data["messages"])

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if not self.errors and not given.get("everything") and self.selection().is_everything:
            raise ValidationError(
                _("Say which deliveries, or that you mean everything that waits.")
            )
        return given

    def selection(self) -> Selection:
        given = self.cleaned_data
        before = (
            timezone.now() - timedelta(seconds=given["older"])
            if given.get("older") not in (None, 0, "0")
            else given.get("before")
        )
        return Selection(
            lane=_pk(given.get("lane")), domain=given["domain"], project=_pk(given.get("project")),
            credential=_pk(given.get("credential")),
            recipient=given["recipient"], state=given["state"], since=given.get("since"),
            before=before, ids=_ids(given["ids"]),
            messages=_ids(given["messages"]), is_held=given["is_held"],
            besides_reports=given["besides_reports"],
        )  # fmt: skip


class OrderForm(forms.Form):
    """What is to be done to them."""

    verb = forms.ChoiceField(
        label=capfirst(_("what")),
        choices=[(verb, Order.Verb(verb).label) for verb in MEANINGS],
        widget=forms.RadioSelect,
    )
    host = forms.CharField(
        label=capfirst(_("to this host")),
        max_length=253,
        required=False,
        help_text=_("To reroute. Empty: looked up anew."),
    )
    port = forms.IntegerField(
        label=capfirst(_("port")), min_value=1, max_value=65_535, initial=25, required=False
    )
    tls = forms.ChoiceField(
        label="TLS", choices=Route.Tls.choices, initial=Route.Tls.OPPORTUNISTIC, required=False
    )
    reason = forms.CharField(
        label=_("Why"),
        max_length=500,
        help_text=_("It goes into the audit log, and into the reports of a bounce."),
    )

    def clean_host(self) -> str:
        host = str(self.cleaned_data["host"]).strip().removeprefix("[").removesuffix("]").lower()
        if host and not routes.is_host(host):
            raise ValidationError(_("This is neither a host name nor an address."))
        return host

    def clean_reason(self) -> str:
        return audit.one_line(self.cleaned_data["reason"])

    def parameters(self) -> dict[str, Any]:
        """Return the lane and the name of the host that a reroute leads to; nothing for other
        verbs.
        """
        given = self.cleaned_data
        if given["verb"] != Order.Verb.REROUTE or not given["host"]:
            return {}
        port, tls = given.get("port") or 25, given.get("tls") or Route.Tls.OPPORTUNISTIC.value
        return {
            "lane": orders.forced_lane(given["host"], port, tls).pk,
            "to": f"{given['host']}:{port} ({tls})",
        }


def _checked_ids(text: str) -> str:
    try:
        return ",".join(map(str, _ids(text)))
    except ValueError as error:
        raise ValidationError(_("This is no id.")) from error


def _ids(text: str) -> tuple[UUID, ...]:
    return tuple(UUID(each) for each in text.split(",") if each)


def _pk(row: Any) -> int | None:
    return None if row is None else row.pk
