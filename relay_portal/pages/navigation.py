"""What stands in the sidebar, and whom it is shown to."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from domains.foundation import rights

Text = str | Promise


class Entry(NamedTuple):
    """A page by its model's label, or by the name of its URL where it has none."""

    title: Text
    icon: str
    model: str = ""
    page: str = ""


SIDEBAR: tuple[tuple[Text, tuple[Entry, ...]], ...] = (
    (
        _("Mail"),
        (
            Entry(_("Overview"), "monitoring", page="index"),
            Entry(_("Messages"), "mail", "deliveries.message"),
            Entry(_("Deliveries"), "send", "deliveries.delivery"),
            Entry(_("Refused"), "do_not_disturb_on", "deliveries.refusal"),
            Entry(_("Inbound mail"), "inbox", "deliveries.inboundmail"),
            Entry(_("Sandbox mailbox"), "experiment", "smtp_listener.sandboxmessage"),
        ),
    ),
    (
        _("Bounces and complaints"),
        (
            Entry(_("Suppressions"), "block", "suppressions.suppression"),
            Entry(_("Suppression policies"), "rule", "suppressions.policy"),
            Entry(_("Imports"), "upload_file", "suppressions.import"),
            Entry(_("Brakes on learning"), "front_hand", "suppressions.brake"),
            Entry(_("Error rates"), "trending_down", page="error_rates"),
            Entry(_("What does it mean?"), "quiz", page="classification"),
            Entry(_("Unknown answers"), "help", page="unknown_answers"),
            Entry(_("Local rules"), "playlist_add", "deliveries.localrule"),
            Entry(_("Second looks"), "restart_alt", "deliveries.reclassification"),
        ),
    ),
    (
        _("Who may send"),
        (
            Entry(_("Projects"), "workspaces", "domains.project"),
            Entry(_("Domains"), "domain", "domains.domain"),
            Entry(_("Signing keys"), "vpn_key", "domains.signingkey"),
            Entry(_("Credentials"), "badge", "domains.credential"),
        ),
    ),
    (
        _("Where mail goes"),
        (
            Entry(_("Lanes"), "alt_route", "deliveries.lane"),
            Entry(_("Routes"), "signpost", "deliveries.route"),
            Entry(_("Receivers"), "speed", "deliveries.shapingrule"),
            Entry(_("Pauses"), "pause_circle", "deliveries.stop"),
            Entry(_("Orders"), "checklist", "deliveries.order"),
            Entry(_("Queues"), "stacks", page="queues"),
            Entry(_("Put aside"), "warning", "domains.setaside"),
        ),
    ),
    (
        _("People"),
        (
            Entry(_("Users"), "group", "relay_portal.user"),
            Entry(_("Audit log"), "history_edu", "domains.auditentry"),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {
            "title": title,
            "separator": bool(number),
            "items": [_item(entry) for entry in entries if _may_see(request, entry)],
        }
        for number, (title, entries) in enumerate(SIDEBAR)
    ]


def account(request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {"title": _("Account security"), "link": reverse("two_factor:profile")},
        {"title": _("Change password"), "link": reverse("admin:password_change")},
    ]


def _item(entry: Entry) -> dict[str, Any]:
    return {"title": entry.title, "icon": entry.icon, "link": _link(entry)}


def _link(entry: Entry) -> str:
    return reverse(
        f"admin:{entry.page}" if entry.page else f"admin:{entry.model.replace('.', '_')}_changelist"
    )


def _may_see(request: HttpRequest, entry: Entry) -> bool:
    return rights.may(request.user, rights.SEE, entry.model or entry.page)
