"""What narrows the list of deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from deliveries.message.ids import first_id_of
from deliveries.models import Delivery
from deliveries.models.states import ENDED, DeliveryState

DAY = timedelta(days=1)


class EndedTime(NamedTuple):
    """The time of acceptance that a list of what has ended is asked for (None: any), and the
    beginning of that part of it which is looked through.
    """

    since: datetime | None
    until: datetime
    looked_from: datetime

    @property
    def is_cut(self) -> bool:
        return self.since is None or self.since < self.looked_from


def ended_time(asked: Mapping[str, Any], *, now: datetime) -> EndedTime | None:
    """Return what the address of a list asks for; None where it is not about what has ended."""
    if asked.get("state") not in ENDED:
        return None
    since, until = range_of(asked.get("since")) or (since_of(asked.get("since")), now)
    return EndedTime(since, until, until - DAY)


class StateFilter(admin.SimpleListFilter):
    """The live ones have an index; those that ended are looked for among a day's, the last of the
    time that is asked for, whose ids are a range.
    """

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("live", _("All that wait")),
            *((state.value, state.label) for state in DeliveryState),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        asked = self.value()
        if asked == "live":
            return queryset.filter(ended_at__isnull=True)
        if (time := ended_time(request.GET, now=timezone.now())) is not None:
            return queryset.filter(state=asked, id__gte=first_id_of(time.looked_from))
        return (
            queryset.filter(state=asked, ended_at__isnull=True)
            if asked in DeliveryState.values
            else queryset
        )


class SinceFilter(admin.SimpleListFilter):
    title = _("time of acceptance")
    parameter_name = "since"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("hour", _("In the last hour")), ("today", _("Today"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        if (between := range_of(self.value())) is not None:
            first, last = map(first_id_of, between)
            return queryset.filter(id__gte=first, id__lt=last)
        since = since_of(self.value())
        return queryset.filter(id__gte=first_id_of(since)) if since else queryset


def range_of(word: str | None) -> tuple[datetime, datetime] | None:
    """Return the two ends of `FROM/TO` (ISO 8601, section 5.5.1), as the home page's figures lead
    here; None for anything else.
    """
    try:
        since, until = map(datetime.fromisoformat, (word or "").split("/"))
    except ValueError:
        return None
    is_range = since.tzinfo and until.tzinfo and since < until
    # Times at the ends of the calendar cannot be told in every zone.
    return (since, until) if is_range and since.year > 1970 and until.year < 3000 else None


def since_of(word: str | None) -> datetime | None:
    now = timezone.localtime()
    return {
        "hour": now - timedelta(hours=1),
        "today": now.replace(hour=0, minute=0, second=0, microsecond=0),
    }.get(word or "")
