"""Which time a page of figures is about, and by which unit it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from deliveries.insight.traffic import UNITS, Span, floor, later

RANGES: dict[str, tuple[timedelta, str, Promise]] = {
    "1h": (timedelta(hours=1), "minute", _("1 hour")),
    "24h": (timedelta(hours=24), "hour", _("24 hours")),
    "7d": (timedelta(days=7), "hour", _("7 days")),
    "30d": (timedelta(days=30), "day", _("30 days")),
}
USUAL = "1h"
TITLES = {"minute": _("by the minute"), "hour": _("by the hour"), "day": _("by the day")}
# More bars than this nobody can tell apart. Minutes become hours after two days, hours days after
# ninety.
BARS_MOST = 1500
OLDEST = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class ChosenSpan:
    """What a person has asked for, and what it comes to.

    `name` is one of `RANGES`, or "" for a time of the person's own; `is_refused` says that the
    time was no time, and that the usual range is shown instead.
    """

    span: Span
    name: str
    is_refused: bool = False

    @property
    def is_live(self) -> bool:
        """Tell whether it ends now."""
        return bool(self.name)

    def query(self, **changed: str) -> str:
        """Return the query of the address that leads to this again, in every time zone."""
        asked = {"range": self.name, "by": self.span.unit}
        if not self.name:
            asked = {"from": _told(self.span.since), "to": _told(self.span.until)} | asked
        return urlencode({key: value for key, value in (asked | changed).items() if value})

    def units(self) -> list[str]:
        """List the units by which the span can be shown."""
        return [unit for unit in UNITS if _fits(self.span.until - self.span.since, unit)]


def chosen(asked: QueryDict, *, now: datetime) -> ChosenSpan:
    """Return the time that a query asks for."""
    since, until = _moment(asked.get("from", "")), _moment(asked.get("to", ""))
    if since is None and until is None and not (asked.get("from") or asked.get("to")):
        return _usual(asked.get("range", USUAL), asked.get("by", ""), now=now)
    until = now if until is None else min(until, now)
    if since is None or since >= until or now - since > OLDEST:
        return ChosenSpan(_usual(USUAL, "", now=now).span, USUAL, is_refused=True)
    return ChosenSpan(Span(since, until, _unit(until - since, asked.get("by", ""))), "")


def _usual(name: str, unit: str, *, now: datetime) -> ChosenSpan:
    """Choose whole units up to the end of the one under way."""
    name = name if name in RANGES else USUAL
    length, usual, _title = RANGES[name]
    unit = unit if unit in UNITS and _fits(length, unit) else usual
    until = later(floor(now, unit), UNITS[unit], by=unit)
    return ChosenSpan(Span(later(until, -length, by=unit), until, unit), name)


def _unit(length: timedelta, asked: str) -> str:
    if asked in UNITS and _fits(length, asked):
        return asked
    return next(unit for unit in UNITS if length / UNITS[unit] <= 200 or unit == "day")


def _fits(length: timedelta, unit: str) -> bool:
    return 1 <= length / UNITS[unit] <= BARS_MOST


def _moment(text: str) -> datetime | None:
    """Parse a browser's field for a local time; return None for anything else."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    if found is None:
        return None
    return timezone.make_aware(found) if timezone.is_naive(found) else found


def _told(moment: datetime) -> str:
    return timezone.localtime(moment).isoformat(timespec="seconds")


def local(moment: datetime) -> str:
    """Write a time for a browser's field for a local time."""
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M")
