"""What a lane's page shows of its past: lines for the chart, the same as rows, and back-offs."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from deliveries.insight import lane_history
from deliveries.insight.lane_history import RANGES, USUAL, PacePoint
from deliveries.models import Lane

TITLES = {
    "1h": gettext_lazy("1 hour"),
    "24h": gettext_lazy("24 hours"),
    "7d": gettext_lazy("7 days"),
}
FORMATS = {"1h": "H:i", "24h": "H:i", "7d": "m-d H:i"}


def history(lane: Lane, asked: str) -> dict[str, Any]:
    name = asked if asked in RANGES else USUAL
    points = lane_history.points(lane, name, now=timezone.now())
    labels = [date_format(timezone.localtime(each.at), FORMATS[name]) for each in points]
    return {
        "ranges": [(TITLES[each], f"?range={each}", each == name) for each in RANGES],
        "chart": {"labels": labels, "series": _series(points)},
        "rows": [
            (label, each)
            for label, each in reversed(list(zip(labels, points, strict=True)))
            if each.connections
        ],
        "back_offs": lane_history.back_offs(lane),
    }


def _series(points: list[PacePoint]) -> list[dict[str, Any]]:
    """Build the chart's lines: the connections in use on top, and their limits as steps."""
    return [
        {
            "label": pgettext("of the pace", "In use"),
            "paint": "delivered",
            "values": [round(each.in_use, 3) for each in points],
        },
        {
            "label": _("Learned"),
            "paint": "deferred",
            "stepped": True,
            "values": [each.learned for each in points],
        },
        {
            "label": _("Allowed"),
            "paint": "accepted",
            "stepped": True,
            "dash": [6, 4],
            "values": [each.allowed for each in points],
        },
    ]
