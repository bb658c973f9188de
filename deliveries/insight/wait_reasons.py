"""Why a delivery waits, in one sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from domains.foundation.text import texts

# A drain looks at least every five seconds, and a dead worker's lease ends after thirty.
NOBODY_CAME = timedelta(seconds=60)
TEXT_MAX = 160


@dataclass(frozen=True, slots=True)
class Halt:
    """What a person stopped, or an answer that only a person can deal with: `what` in words
    ("delivery for shop.test"), by whom.
    """

    what: str
    since: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides it.

    `halt` is the strongest of those that cover it; `per_second` is the lane's pace now, `rule` what
    sets it, "" where that was learned. `site` is the lane's name for people; `answer` is the last
    attempt's, "" without one.

    `is_claimed` tells that an agent took it; `is_leased` that the lease under which it did still
    holds. `ahead` counts those of its lane that are due and go first; None where that was not
    looked up.
    """

    due_at: datetime
    domain: str
    site: str
    is_routing: bool = False
    is_claimed: bool = False
    is_leased: bool = False
    is_in_doubt: bool = False
    paused_until: datetime | None = None
    pause_reason: str = ""
    answer: str = ""
    ahead: int | None = None
    halt: Halt | None = None
    is_held: bool = False
    is_parked: bool = False
    per_second: float | None = None
    rule: str = ""
    no_source: str = ""  # why none of ours carries it now


def sentence(situation: Situation, *, now: datetime) -> str:
    """Give the first reason that holds, the strongest first."""
    if situation.is_claimed:
        return _in_hand(situation)
    if situation.halt is not None:
        return _halted(situation.halt, now=now)
    if situation.is_held:
        return _("A person holds it back, until it is released.")
    if situation.is_parked:
        return _("It was put aside, and is about to be let go.")
    if situation.paused_until and situation.paused_until > max(now, situation.due_at):
        return _("%(site)s is paused until %(until)s: %(why)s.") % {
            "site": situation.site,
            "until": moment(situation.paused_until, now=now),
            "why": short(situation.pause_reason).rstrip("."),
        }
    if situation.due_at > now and situation.no_source:
        return _("No source may carry it now: %(why)s. It is looked at again at %(when)s.") % {
            "why": situation.no_source,
            "when": moment(situation.due_at, now=now),
        }
    if situation.due_at > now:
        return _later(situation, now=now)
    if situation.is_routing:
        return _("The mail hosts of %(domain)s are being looked up.") % {"domain": situation.domain}
    return _in_turn(situation, now=now)


def _in_hand(situation: Situation) -> str:
    if situation.is_routing:
        return _("The mail hosts of %(domain)s are being looked up.") % {"domain": situation.domain}
    if situation.is_leased:
        return _("It is being delivered now.")
    return _(
        "The worker that was delivering it is gone; it is taken up again when that worker's "
        "lease is over."
    )


def _later(situation: Situation, *, now: datetime) -> str:
    given = {
        "when": moment(situation.due_at, now=now),
        "answer": short(situation.answer).rstrip("."),
    }
    if situation.is_in_doubt:
        return (
            _("It may have arrived, and is sent once more at %(when)s, after: %(answer)s.") % given
        )
    if situation.answer:
        return _("It is tried again at %(when)s, after: %(answer)s.") % given
    return _("It is due at %(when)s.") % given


def _in_turn(situation: Situation, *, now: datetime) -> str:
    if not situation.is_leased and now - situation.due_at > NOBODY_CAME:
        return _("It is due, and no worker has taken it up (is one running? ./ekiden status).")
    line = _line(situation)
    if situation.per_second is None:
        return _("%(line)s.") % {"line": line}
    given = {"line": line, "pace": pace(situation.per_second), "rule": situation.rule}
    limit = (
        _("%(line)s, where the rule “%(rule)s” allows %(pace)s")
        if situation.rule
        else _("%(line)s, which is found to take %(pace)s")
    )
    sentence = limit % given
    if not situation.ahead:
        return _("%(line)s.") % {"line": sentence}
    return _("%(sentence)s: in about %(span)s.") % {
        "sentence": sentence,
        "span": span(situation.ahead / situation.per_second),
    }


def _line(situation: Situation) -> str:
    given = {"count": situation.ahead or 0, "site": situation.site}
    if not situation.ahead:
        return _("It is next in line for %(site)s") % given
    return (
        ngettext(
            "It waits for its turn, with %(count)d before it in line for %(site)s",
            "It waits for its turn, with %(count)d before it in line for %(site)s",
            situation.ahead,
        )
        % given
    )


def _halted(halt: Halt, *, now: datetime) -> str:
    given = {
        "what": halt.what,
        "by": halt.by,
        "since": span((now - halt.since).total_seconds()),
        "why": short(halt.reason).rstrip("."),
    }
    if halt.by:
        return (
            _(
                "%(what)s has been stopped by %(by)s for %(since)s, until somebody resumes it: "
                "%(why)s."
            )
            % given
        )
    return (
        _(
            "%(what)s has been stopped for %(since)s, until somebody looks, by an answer of the "
            "receiver: %(why)s."
        )
        % given
    )


def pace(per_second: float) -> str:
    """Write a pace for people: `20 messages a second`, `6 messages a minute`, `30 messages an
    hour`.
    """
    for text, seconds in ((_("%s messages a second"), 1), (_("%s messages a minute"), 60)):
        if per_second * seconds >= 1:
            return text % f"{per_second * seconds:.3g}"
    return _("%s messages an hour") % f"{per_second * 3600:.3g}"


def moment(when: datetime, *, now: datetime) -> str:
    """Write a time to come as people read it, in their time zone.

    That is the clock, the day where it is another, and how long that is from now.
    """
    here = timezone.localtime(when)
    spelled = here.strftime(
        "%H:%M:%S %Z" if here.date() == timezone.localtime(now).date() else "%Y-%m-%d %H:%M %Z"
    )
    return _("%(time)s (in %(span)s)") % {
        "time": spelled,
        "span": span((when - now).total_seconds()),
    }


def span(seconds: float) -> str:
    """Write a time for people: `45 s`, `12 min`, `3 h`, `4 d`."""
    for text, size, most in (
        (_("%d s"), 1, 120),
        (_("%d min"), 60, 7200),
        (_("%d h"), 3600, 172_800),
    ):
        if seconds < most:
            return text % max(round(seconds / size), 0)
    return _("%d d") % round(seconds / 86_400)


def short(text: str) -> str:
    """Shorten a peer's text, which may be long and hostile, to one line."""
    line = texts.one_line(text, TEXT_MAX + 1)
    return line if len(line) <= TEXT_MAX else line[: TEXT_MAX - 1] + "…"
