"""What narrows the list of deliveries."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from deliveries.message.ids import first_id_of
from deliveries.models import Delivery
from deliveries.models.states import ENDED, State

DAY = timedelta(days=1)


class StateFilter(admin.SimpleListFilter):
    """The live ones have an index; those that ended are looked for among a day's, whose ids are a
    range.
    """

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("live", _("All that wait")), *((state.value, state.label) for state in State)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        asked = self.value()
        if asked == "live":
            return queryset.filter(ended_at__isnull=True)
        if asked in ENDED:
            return queryset.filter(state=asked, id__gte=first_id_of(timezone.now() - DAY))
        return (
            queryset.filter(state=asked, ended_at__isnull=True)
            if asked in State.values
            else queryset
        )


class SinceFilter(admin.SimpleListFilter):
    title = _("time of acceptance")
    parameter_name = "since"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("hour", _("In the last hour")), ("today", _("Today"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        since = since_of(self.value())
        return queryset.filter(id__gte=first_id_of(since)) if since else queryset


def since_of(word: str | None) -> datetime | None:
    now = timezone.localtime()
    return {
        "hour": now - timedelta(hours=1),
        "today": now.replace(hour=0, minute=0, second=0, microsecond=0),
    }.get(word or "")
