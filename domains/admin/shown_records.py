"""A domain's records, and what changed of them, in the reader's words."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from domains.identity.sentences import sentence
from domains.identity.zone_text import quoted
from domains.models import DomainChange

FINDINGS = {
    "found": (_("Found"), "delivered"),
    "missing": (_("Missing"), "bounced"),
    "wrong": (_("Wrong"), "bounced"),
    "spreading": (_("Spreading"), "deferred"),
    "unreachable": (_("Out of reach"), "deferred"),
    "bogus": (_("DNSSEC fails"), "bounced"),
    "unknown": (_("No answer"), "deferred"),
    "unchecked": (_("Not checked yet"), "queued"),
    "unneeded": (_("Not needed"), "delivered"),
}
VERDICTS = {
    "pass": {"label": _("Good"), "colour": "delivered"},
    "fail": {"label": _("Bad"), "colour": "bounced"},
    "unknown": {"label": _("No answer"), "colour": "deferred"},
}
LONG = 120  # characters of a value in the history
PURPOSES = {
    "ownership": _("Ownership"), "dkim": "DKIM", "spf": "SPF", "dmarc": "DMARC",
    "return-path": _("Return path"), "dkim-delegation": "DKIM (CNAME)",
}  # fmt: skip


def shown(finding: dict[str, Any]) -> dict[str, Any]:
    """Prepare one record for the page."""
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


def changed(change: DomainChange) -> dict[str, Any]:
    """Prepare one difference between two checks for the page."""
    purpose, _space, name = change.subject.partition(" ")
    return {
        "at": change.at,
        "record": f"{PURPOSES.get(purpose, purpose)} {name}",
        "before": _in_words(change.before),
        "after": _in_words(change.after),
    }


def _in_words(side: dict[str, Any]) -> str:
    """Tell the state, and what stood there."""
    if not side:
        return "–"
    state = side["state"]
    label = FINDINGS[state][0] if state in FINDINGS else VERDICTS[state]["label"]
    said = " · ".join(side["found"]) or side["text"]
    return f"{label}: {said if len(said) < LONG else said[:LONG] + '…'}"
