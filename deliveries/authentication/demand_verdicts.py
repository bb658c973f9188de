"""Judges a domain by what receivers ask for: pass, fail or cannot tell, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from deliveries.authentication.demand_facts import DomainFacts, facts_of
from deliveries.models import DemandMeasure, ReceiverDemand
from domains.models import Domain

Judged = tuple[str, str, dict[str, str]]  # the state, the code of its sentence, what stands in it
ENOUGH = 1000  # deliveries of a week by which a rate of complaints says anything
# Who sends no complaints by mail: their rate stands on pages of their own.
SILENT = {"google": "https://postmaster.google.com/"}

SENTENCES: Mapping[str, str] = {
    "fewer": _(
        "Not asked of it: %(busiest)s messages on the busiest of the last seven days, and it is "
        "asked from %(asked_from)s a day on."
    ),
    "met": _("It does so, as the last check found."),
    "not-met": _("It does not, as the last check found. The domain's page says what to do."),
    "unchecked": _("The last check could not tell. Check the domain again."),
    "ptr-met": _("All of our source addresses have it."),
    "ptr-not-met": _("A source address lacks it. How receivers see us says which."),
    "ptr-unchecked": _("It is not known of all of our source addresses."),
    "tls-met": _("%(share)s %% of the sampled deliveries went by TLS (%(tls)s of %(total)s)."),
    "tls-not-met": _(
        "Only %(share)s %% of the sampled deliveries went by TLS (%(tls)s of %(total)s)."
    ),
    "tls-unknown": _("The sample has no delivery to this receiver in the last 30 days."),
    "complaints-met": _(
        "%(rate)s %% in seven days: %(complaints)s complaints about %(delivered)s messages."
    ),
    "complaints-not-met": _(
        "%(rate)s %% in seven days, above %(limit)s %%: %(complaints)s complaints about "
        "%(delivered)s messages. Stop mail to those who did not ask for it."
    ),
    "complaints-few": _(
        "Too few messages to give a rate: %(complaints)s complaints about %(delivered)s in seven "
        "days."
    ),
    "complaints-silent": _(
        "This receiver sends no complaints to senders. The rate stands at %(page)s."
    ),
    "complaints-shared": _(
        "%(complaints)s complaints about %(delivered)s messages in seven days, of all domains of "
        "the project together."
    ),
    "one-click-met": _("All sampled bulk mail does so (%(bulk)s messages)."),
    "one-click-not-met": _(
        "Of %(bulk)s sampled bulk messages %(one_click)s do. Let the project's suppression policy "
        "add the link, or the app the fields List-Unsubscribe and List-Unsubscribe-Post."
    ),
    "one-click-unknown": _("The sample has no message that is marked as bulk."),
}


def judge(domain: Domain, *, now: datetime) -> list[dict[str, Any]]:
    """Return one entry for each demand in force, by receiver."""
    facts = facts_of(domain, now=now)
    return [_entry(row, facts) for row in ReceiverDemand.objects.in_force()]


def _entry(row: ReceiverDemand, facts: DomainFacts) -> dict[str, Any]:
    state, code, given = verdict(row, facts)
    volume = facts.volume(row.receiver)
    return {
        "name": row.name, "receiver": row.receiver, "measure": row.measure, "limit": row.limit,
        "asked_from": row.asked_from, "since": row.since and row.since.isoformat(),
        "source": row.source, "read_on": row.read_on.isoformat(), "state": state, "code": code,
        "given": given, "text": SENTENCES[code] % given, "busiest_day": volume.busiest_day,
        "is_volume_of_project": not facts.is_alone,
    }  # fmt: skip


def sentence(code: str, given: Mapping[str, str]) -> str:
    """Return the reason in the active language."""
    return gettext(SENTENCES[code]) % given


def verdict(row: ReceiverDemand, facts: DomainFacts) -> Judged:
    """Return the state, and why. What is asked of large senders only is passed by others."""
    busiest = facts.volume(row.receiver).busiest_day
    if row.asked_from and busiest < row.asked_from:
        return "pass", "fewer", {"busiest": str(busiest), "asked_from": str(row.asked_from)}
    return _JUDGES[DemandMeasure(row.measure)](row, facts)


def _checked(*names: str, any_of: bool = False) -> Callable[[ReceiverDemand, DomainFacts], Judged]:
    codes = {"pass": "met", "fail": "not-met", "unknown": "unchecked"}
    order = ("pass", "unknown", "fail") if any_of else ("fail", "unknown", "pass")

    def judged(row: ReceiverDemand, facts: DomainFacts) -> Judged:
        states = {facts.verdicts.get(name, "unknown") for name in names}
        state = next(each for each in order if each in states)
        return state, codes[state], {}

    return judged


def _ptr(row: ReceiverDemand, facts: DomainFacts) -> Judged:
    state = facts.verdicts.get("ptr", "unknown")
    code = {"pass": "ptr-met", "fail": "ptr-not-met", "unknown": "ptr-unchecked"}[state]
    return state, code, {}


def _tls(row: ReceiverDemand, facts: DomainFacts) -> Judged:
    by_tls, total = facts.tls.get(row.receiver, (0, 0))
    if not total:
        return "unknown", "tls-unknown", {}
    share = 100 * by_tls / total
    given = {"share": f"{share:.4g}", "tls": str(by_tls), "total": str(total)}
    is_met = share >= (100.0 if row.limit is None else row.limit)
    return ("pass", "tls-met", given) if is_met else ("fail", "tls-not-met", given)


def _complaints(row: ReceiverDemand, facts: DomainFacts) -> Judged:
    if page := SILENT.get(row.receiver):
        return "unknown", "complaints-silent", {"page": page}
    volume = facts.volume(row.receiver)
    given = {"delivered": str(volume.delivered), "complaints": str(volume.complaints)}
    if volume.delivered < ENOUGH:
        return "unknown", "complaints-few", given
    rate, limit = 100 * volume.complaints / volume.delivered, row.limit or 0.0
    given |= {"rate": f"{rate:.2g}", "limit": f"{limit:g}"}
    if rate <= limit:  # of all domains together: each may still be above
        return ("pass", "complaints-met", given) if facts.is_alone else _shared(given, volume)
    return ("fail", "complaints-not-met", given) if facts.is_alone else _shared(given, volume)


def _shared(given: dict[str, str], volume: Any) -> Judged:
    state = "unknown" if volume.complaints else "pass"
    return state, "complaints-shared", given


def _one_click(row: ReceiverDemand, facts: DomainFacts) -> Judged:
    given = {"bulk": str(facts.bulk), "one_click": str(facts.one_click)}
    if not facts.bulk:
        return "unknown", "one-click-unknown", given
    if facts.one_click < facts.bulk:
        return "fail", "one-click-not-met", given
    return "pass", "one-click-met", given


_JUDGES: Mapping[DemandMeasure, Callable[[ReceiverDemand, DomainFacts], Judged]] = {
    DemandMeasure.SPF_OR_DKIM: _checked("spf", "dkim", any_of=True),
    DemandMeasure.SPF: _checked("spf"),
    DemandMeasure.SPF_AND_DKIM: _checked("spf", "dkim"),
    DemandMeasure.DMARC: _checked("dmarc"),
    DemandMeasure.ALIGNED: _checked("aligned"),
    DemandMeasure.PTR: _ptr,
    DemandMeasure.TLS: _tls,
    DemandMeasure.COMPLAINTS: _complaints,
    DemandMeasure.ONE_CLICK: _one_click,
}
