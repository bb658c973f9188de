"""What stands in the sidebar, and whom it is shown to."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from domains.foundation import rights
from domains.foundation.rights import Role

Text = str | Promise


class NavigationEntry(NamedTuple):
    """A page by its model's label, or by the name of its URL where it has none."""

    title: Text
    icon: str
    model: str = ""
    page: str = ""


SIDEBAR: tuple[tuple[Text, tuple[NavigationEntry, ...]], ...] = (
    (
        _("Mail"),
        (
            NavigationEntry(_("Overview"), "monitoring", page="index"),
            NavigationEntry(_("Messages"), "mail", "deliveries.message"),
            NavigationEntry(_("Exports"), "download", "deliveries.messageexport"),
            NavigationEntry(_("Deliveries"), "send", "deliveries.delivery"),
            NavigationEntry(_("Refused"), "do_not_disturb_on", "deliveries.refusal"),
            NavigationEntry(_("Inbound mail"), "inbox", "deliveries.inboundmail"),
            NavigationEntry(_("Sandbox mailbox"), "experiment", "smtp_listener.sandboxmessage"),
        ),
    ),
    (
        _("Bounces and complaints"),
        (
            NavigationEntry(_("Suppressions"), "block", "suppressions.suppression"),
            NavigationEntry(_("Suppression policies"), "rule", "suppressions.policy"),
            NavigationEntry(_("Imports"), "upload_file", "suppressions.import"),
            NavigationEntry(_("Brakes on learning"), "front_hand", "suppressions.brake"),
            NavigationEntry(_("Error rates"), "trending_down", page="error_rates"),
            NavigationEntry(_("What does it mean?"), "quiz", page="classification"),
            NavigationEntry(_("Unknown answers"), "help", page="unknown_answers"),
            NavigationEntry(_("Local rules"), "playlist_add", "deliveries.localrule"),
            NavigationEntry(_("Second looks"), "restart_alt", "deliveries.reclassification"),
        ),
    ),
    (
        _("Who may send"),
        (
            NavigationEntry(_("Projects"), "workspaces", "domains.project"),
            NavigationEntry(_("Domains"), "domain", "domains.domain"),
            NavigationEntry(_("Check a message"), "verified", page="message_check"),
            NavigationEntry(_("What receivers ask for"), "checklist_rtl", page="demands"),
            NavigationEntry(_("Signing keys"), "vpn_key", "domains.signingkey"),
            NavigationEntry(_("Credentials"), "badge", "domains.credential"),
        ),
    ),
    (
        _("Where mail goes"),
        (
            NavigationEntry(_("Receivers"), "alt_route", "deliveries.lane"),
            NavigationEntry(_("Routes"), "signpost", "deliveries.route"),
            NavigationEntry(_("Rules for receivers"), "speed", "deliveries.shapingrule"),
            NavigationEntry(_("Limits over providers"), "compress", "deliveries.providerlimit"),
            NavigationEntry(_("Demands of receivers"), "fact_check", "deliveries.receiverdemand"),
            NavigationEntry(_("Pauses"), "pause_circle", "deliveries.stop"),
            NavigationEntry(_("Orders"), "checklist", "deliveries.order"),
            NavigationEntry(_("Queues"), "stacks", page="queues"),
            NavigationEntry(_("Put aside"), "warning", "domains.setaside"),
        ),
    ),
    (
        _("Where mail leaves from"),
        (
            NavigationEntry(_("Sources"), "output", "deliveries.source"),
            NavigationEntry(_("Pools"), "hub", "deliveries.pool"),
            NavigationEntry(_("Egress rules"), "fork_right", "deliveries.egressrule"),
            NavigationEntry(_("Smarthosts"), "outgoing_mail", "deliveries.smarthost"),
            NavigationEntry(_("Nodes"), "dns", "deliveries.node"),
            NavigationEntry(_("How receivers see us"), "traffic", page="own_identity"),
            NavigationEntry(_("Daily numbers of warm-ups"), "stairs", "deliveries.warmupplan"),
            NavigationEntry(_("Days of warm-ups"), "thermostat", "deliveries.warmupday"),
            NavigationEntry(_("Rules for tenants"), "gavel", "deliveries.tenantrule"),
            NavigationEntry(_("Cases of tenants"), "warning_amber", "deliveries.tenantcase"),
        ),
    ),
    (
        _("People"),
        (
            NavigationEntry(_("Users"), "group", "relay_portal.user"),
            NavigationEntry(_("Groups at the provider"), "groups", "relay_portal.grouprole"),
            NavigationEntry(_("Networks"), "lan", "relay_portal.loginnetwork"),
            NavigationEntry(_("Audit log"), "history_edu", "domains.auditentry"),
        ),
    ),
)


# What stands on top, outside the sections, for whom.
_RUNS_THE_SERVICE = (
    "index", "deliveries.message", "deliveries.lane", "deliveries.stop",
    "suppressions.suppression", "domains.domain", "domains.credential", "domains.setaside",
)  # fmt: skip
DAILY: dict[str, tuple[str, ...]] = {
    Role.OWNER: _RUNS_THE_SERVICE,
    Role.OPERATOR: _RUNS_THE_SERVICE,
    Role.SUPPORT: (
        "deliveries.message", "suppressions.suppression", "deliveries.refusal",
        "deliveries.inboundmail", "classification",
    ),
    Role.AUDITOR: (
        "domains.auditentry", "index", "deliveries.message", "suppressions.suppression",
        "relay_portal.user",
    ),
    Role.DEVELOPER: (
        "domains.credential", "domains.domain", "message_check", "deliveries.message",
        "smtp_listener.sandboxmessage", "suppressions.suppression",
    ),
}  # fmt: skip


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return what this person does daily, and then the rest by sections, which are closed."""
    seen = {
        page: entry
        for _title, entries in SIDEBAR
        for entry in entries
        if rights.may(request.user, rights.SEE, page := entry.model or entry.page)
    }
    daily = [page for page in DAILY.get(getattr(request.user, "role", ""), ()) if page in seen]
    return [
        {"items": [_item(seen[page]) for page in daily]},
        *(
            {
                "title": title,
                "collapsible": True,
                "items": [
                    _item(entry)
                    for entry in entries
                    if (page := entry.model or entry.page) in seen and page not in daily
                ],
            }
            for title, entries in SIDEBAR
        ),
    ]


def account(request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {"title": _("Account security"), "link": reverse("two_factor:profile")},
        {"title": _("Change password"), "link": reverse("admin:password_change")},
    ]


def _item(entry: NavigationEntry) -> dict[str, Any]:
    return {"title": entry.title, "icon": entry.icon, "link": link_of(entry)}


def titles() -> dict[str, Text]:
    """Return the title of each list by its model's label."""
    return {entry.model: entry.title for _title, entries in SIDEBAR for entry in entries}


def link_of(entry: NavigationEntry) -> str:
    """Return the address of the page."""
    return reverse(
        f"admin:{entry.page}" if entry.page else f"admin:{entry.model.replace('.', '_')}_changelist"
    )
