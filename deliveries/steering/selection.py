"""Which of the waiting deliveries are meant: as people say it, as an order keeps it, and as
PostgreSQL looks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from deliveries.insight.tracing import site_name
from deliveries.message.ids import first_id_of
from deliveries.models import Delivery, Lane
from deliveries.models.states import IS_REPORT, DeliveryState
from domains.foundation import sql
from domains.models import Credential, Project

EXAMPLES = 5
COUNTED_MOST = 1_000_000

CONDITIONS = {
    # with the lanes of that site and our sources
    "lane": (
        "mail.lane_id = ANY(ARRAY(SELECT id FROM deliveries_lane"
        " WHERE id = %(lane)s OR home_id = %(lane)s))"
    ),
    "domain": "mail.domain = %(domain)s",
    "project": "mail.project_id = %(project)s",
    "credential": "mail.flow = %(credential)s",
    "recipient": "mail.recipient_key = %(recipient)s",
    "state": "mail.state = %(state)s",
    "since": "mail.id >= %(since)s",
    "before": "mail.id < %(before)s",
    "ids": "mail.id = ANY(%(ids)s)",
    "messages": "mail.message_id = ANY(%(messages)s)",
    "is_held": "(mail.hold = 1 OR mail.lane_id = 0)",
    "besides_reports": f"NOT {IS_REPORT}",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """All conditions hold at once; without any it is everything that waits.

    `lane`, `project` and `credential` are row ids, `recipient` is an address's key, `since` and
    `before` are times of acceptance, `messages` and `ids` (of deliveries) are the only ones meant,
    `is_held`: put aside, by a person or by a pause; `besides_reports`: mail of apps alone.
    """

    lane: int | None = None
    domain: str = ""
    project: int | None = None
    credential: int | None = None
    recipient: str = ""
    state: str = ""
    since: datetime | None = None
    before: datetime | None = None
    ids: tuple[UUID, ...] = ()
    messages: tuple[UUID, ...] = ()
    is_held: bool = False
    besides_reports: bool = False

    @property
    def given(self) -> dict[str, Any]:
        """The conditions that were named. The lane of what is held is numbered 0."""
        everything = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value
            for name, value in everything.items()
            if value not in (None, "", (), False) or (name, value) == ("lane", 0)
        }

    @property
    def is_everything(self) -> bool:
        return not self.given.keys() - {"besides_reports"}

    def accepted_before(self, moment: datetime) -> Selection:
        """Leave out what was accepted later than this moment."""
        return replace(self, before=min(filter(None, (self.before, moment))))

    def condition(self) -> tuple[str, dict[str, Any]]:
        """Return SQL about `mail`, and its parameters."""
        given = self.given
        values = {name: _for_postgres(value) for name, value in given.items()}
        return " AND ".join(["TRUE", *(CONDITIONS[name] for name in given)]), values

    def as_json(self) -> dict[str, Any]:
        return {name: _json(value) for name, value in self.given.items()}

    @classmethod
    def of_json(cls, stored: dict[str, Any]) -> Selection:
        given = dict(stored)
        for name in ("since", "before"):
            if name in given:
                given[name] = datetime.fromisoformat(given[name])
        for name in ("ids", "messages"):
            given[name] = tuple(map(UUID, given.get(name, ())))
        return cls(**given)

    def __str__(self) -> str:
        """Describe the selection for people."""
        return described([self])[0]


@dataclass(frozen=True, slots=True)
class SelectionPreview:
    """What a selection holds now; `count` goes no further than `COUNTED_MOST`, `examples` wait the
    longest.
    """

    count: int
    examples: Sequence[Delivery]

    @property
    def is_counted_out(self) -> bool:
        return self.count < COUNTED_MOST

    @property
    def oldest(self) -> datetime | None:
        return self.examples[0].message.accepted_at if self.examples else None


def preview(selection: Selection) -> SelectionPreview:
    return SelectionPreview(count(selection), examples(selection))


def count(selection: Selection) -> int:
    condition, values = selection.condition()
    counted = (
        f"SELECT FROM deliveries_delivery mail WHERE ended_at IS NULL AND {condition} LIMIT "
        "%(most)s"
    )
    statement = f"SELECT count(*) FROM ({counted}) found"  # noqa: S608  (constants)
    return int(sql.value(statement, values | {"most": COUNTED_MOST}))


# Each says that the row is live: by the lane's claim order or by the deadline, whichever index has
# less to read.
LIVE_BY_DEADLINE = "ended_at IS NULL AND state IN ('queued', 'deferred')"


def examples(selection: Selection) -> list[Delivery]:
    condition, values = selection.condition()
    # S608 : constants
    first = (
        f"SELECT id FROM deliveries_delivery mail WHERE {LIVE_BY_DEADLINE} AND "  # noqa: S608
        f"{condition} ORDER "
        "BY expires_at, id LIMIT %(most)s"
    )
    ids = sql.column(first, values | {"most": EXAMPLES})
    found = (
        Delivery.objects.filter(pk__in=ids)
        .select_related("message", "lane", "project")
        .order_by("expires_at", "id")
    )
    return list(found)


def _for_postgres(value: Any) -> Any:
    match value:
        case tuple():
            return list(value)
        case datetime():
            return first_id_of(value)
    return value


def _json(value: Any) -> Any:
    match value:
        case tuple():
            return [str(each) for each in value]
        case datetime():
            return value.isoformat()
    return value


def described(selections: Sequence[Selection]) -> list[str]:
    """Describe selections for people; what they name is looked up once for all."""
    known = _names_in(selections)
    return [
        ", ".join(_words(name, value, known) for name, value in each.given.items())
        or _("everything that waits")
        for each in selections
    ]


def _names_in(selections: Sequence[Selection]) -> dict[tuple[str, int], str]:
    known = {}
    for name, model in (("lane", Lane), ("project", Project), ("credential", Credential)):
        wanted = {getattr(each, name) for each in selections} - {None}
        rows: QuerySet[Any] = (
            model.objects.filter(pk__in=wanted) if wanted else model.objects.none()
        )
        rows = rows.select_related("project") if name == "credential" else rows
        for row in rows:
            known[name, row.pk] = site_name(row) if isinstance(row, Lane) else str(row)
    return known


def _words(name: str, value: Any, known: Mapping[tuple[str, int], str]) -> str:
    match name:
        case "lane":
            return _("lane %s") % str(known.get((name, value), value))
        case "project":
            return _("project %s") % str(known.get((name, value), value))
        case "credential":
            return _("credential %s") % str(known.get((name, value), value))
        case "state":
            return str(DeliveryState(value).label)
        case "since":
            return _("accepted since %s") % _clock(value)
        case "before":
            return _("accepted before %s") % _clock(value)
        case "ids":
            return _("%d chosen deliveries") % len(value)
        case "messages":
            return (
                _("message %s") % value[0]
                if len(value) == 1
                else _("%d chosen messages") % len(value)
            )
        case "is_held":
            return pgettext("of deliveries", "put aside")
        case "besides_reports":
            return _("without our own reports")
        case "domain":
            return _("recipient domain %s") % str(value)
    return _("recipient %s") % str(value)


def _clock(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S %Z}"
