"""When what was learned about an address is enough to write to it no more, and when it may be
tried again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from suppressions.classes import MEANINGS, Class, Fault


class Group(StrEnum):
    """How a policy counts: what it says about the address, in the order of weight."""

    UNSUBSCRIBE = "unsubscribe"
    COMPLAINT = "complaint"
    PERMANENT = "permanent"
    FULL = "full"
    TEMPORARY = "temporary"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AddressEvent:
    """One thing learned about an address."""

    at: datetime
    class_: Class
    is_hard: bool
    is_unsubscription: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """A project's policy.

    A count of 0 switches that line off; days of None stand for "never" or "for ever".

    `permanent`, `temporary`, `unknown`: so many within `within_days`; `is_in_a_row`: a delivery in
    between begins anew. A full mailbox counts when it has been full for `full_days`, at the first
    and at the latest try. `lasts_days`: a suppression ends by itself. After the days of probation
    one message may try the address; complaints and unsubscriptions have none.
    """

    permanent: int = 1
    temporary: int = 3
    unknown: int = 3
    within_days: int = 30
    is_in_a_row: bool = True
    full_days: int = 14
    heeds_complaints: bool = True
    lasts_days: int | None = None
    permanent_probation_days: int | None = 180
    other_probation_days: int | None = 30


# A dead address is given to a new owner by Japanese carriers after about half a year, so `standard`
# tries it again then.
PRESETS: dict[str, Rules] = {
    "standard": Rules(),
    "strict": Rules(
        temporary=2, unknown=2, full_days=7, permanent_probation_days=None, other_probation_days=90
    ),
    "lenient": Rules(
        permanent=2,
        temporary=5,
        unknown=5,
        full_days=30,
        permanent_probation_days=90,
        other_probation_days=14,
    ),
    "complaints": Rules(permanent=0, temporary=0, unknown=0, full_days=0),
}
STANDARD = PRESETS["standard"]


@dataclass(frozen=True, slots=True)
class AddressVerdict:
    """The address is to be suppressed: because of what, seen from when to when, how often, and
    until when.
    """

    group: Group
    decisive: AddressEvent
    first_at: datetime
    count: int
    until: datetime | None
    probation_at: datetime | None


# What is the sender's fault or ours says nothing about the address. Nor does silence about a reason
# count as more than "unknown".
ABOUT_ADDRESS = frozenset(
    class_
    for class_, meaning in MEANINGS.items()
    if meaning.fault in (Fault.RECIPIENT, Fault.NETWORK)
)


def group_of(event: AddressEvent) -> Group | None:
    """Return the group of an event; None for what says nothing about the address."""
    if event.is_unsubscription:
        return Group.UNSUBSCRIBE
    if event.class_ is Class.COMPLAINT:
        return Group.COMPLAINT
    if event.is_hard:
        return Group.PERMANENT
    if event.class_ is Class.MAILBOX_FULL:
        return Group.FULL
    if event.class_ in ABOUT_ADDRESS:
        return Group.TEMPORARY
    return Group.UNKNOWN if event.class_ is Class.OTHER else None


def decide(
    events: Iterable[AddressEvent],
    rules: Rules,
    *,
    now: datetime,
    delivered_at: datetime | None = None,
) -> AddressVerdict | None:
    """Decide what the events about one address, with the last delivery to it, come to under these
    rules.
    """
    counted = sorted(
        _counted(events, rules, now=now, delivered_at=delivered_at), key=lambda event: event.at
    )
    for group in Group:
        mine = [event for event in counted if group_of(event) is group]
        if mine and _is_enough(group, mine, rules):
            return _verdict(group, mine, rules)
    return None


def _counted(
    events: Iterable[AddressEvent], rules: Rules, *, now: datetime, delivered_at: datetime | None
) -> Iterable[AddressEvent]:
    """Yield the events that count.

    A full mailbox may have been so for longer than what else counts. Nobody takes back a complaint
    by getting one more mail.
    """
    for event in events:
        group = group_of(event)
        days = (
            max(rules.within_days, rules.full_days * 2)
            if group is Group.FULL
            else rules.within_days
        )
        lasts = group in (Group.COMPLAINT, Group.UNSUBSCRIBE)
        is_outdone = rules.is_in_a_row and delivered_at is not None and event.at <= delivered_at
        if lasts or (event.at > now - timedelta(days=days) and not is_outdone):
            yield event


def _is_enough(group: Group, mine: Sequence[AddressEvent], rules: Rules) -> bool:
    match group:
        case Group.UNSUBSCRIBE:
            return True
        case Group.COMPLAINT:
            return rules.heeds_complaints
        case Group.FULL:
            return rules.full_days > 0 and mine[-1].at - mine[0].at >= timedelta(
                days=rules.full_days
            )
        case Group.PERMANENT:
            return 0 < rules.permanent <= len(mine)
        case Group.TEMPORARY:
            return 0 < rules.temporary <= len(mine)
        case Group.UNKNOWN:
            return 0 < rules.unknown <= len(mine)


def _verdict(group: Group, mine: Sequence[AddressEvent], rules: Rules) -> AddressVerdict:
    last = mine[-1]
    stays = group in (Group.COMPLAINT, Group.UNSUBSCRIBE)
    until = None if stays else _after(last.at, rules.lasts_days)
    return AddressVerdict(
        group, last, mine[0].at, len(mine), until, probation(group, rules, since=last.at)
    )


def probation(group: Group, rules: Rules, *, since: datetime) -> datetime | None:
    """Return when one message may try the address again; None for never."""
    if group in (Group.COMPLAINT, Group.UNSUBSCRIBE):
        return None
    return _after(
        since,
        rules.permanent_probation_days if group is Group.PERMANENT else rules.other_probation_days,
    )


def _after(since: datetime, days: int | None) -> datetime | None:
    return None if days is None else since + timedelta(days=days)
