"""The box above the list of messages: what an input was taken for, and what narrows the list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from deliveries.models import Refusal
from deliveries.models.states import DeliveryState
from deliveries.search.inputs import Clue, ClueKind, Understood, understood
from deliveries.search.lookups import FOUND_MOST, messages_of
from deliveries.search.narrowing import NAMES, Narrowing, as_typed, narrowing_of
from domains.foundation import rights
from domains.foundation.text.texts import storable
from domains.models import Credential, Project
from domains.operations.large_lists import InOrder
from domains.operations.own_projects import projects_of
from suppressions.classes import MEANINGS
from suppressions.models import Suppression

SHORT = 400  # characters that fit into an address as they are
CHOICES_MOST = 300
TAKEN_FOR = {
    ClueKind.ID: _("a queue id or delivery id: %s"),
    ClueKind.BEGINNING: _("how an id begins: %s"),
    ClueKind.MESSAGE_ID: _("a Message-ID: %s"),
    ClueKind.RETURN_PATH: _("a return path of ours: %s"),
    ClueKind.ADDRESS: _("an address, of a recipient or a sender: %s"),
    ClueKind.DOMAIN: _("a domain, of recipients or senders: %s"),
    ClueKind.WORDS: _("words of a subject, or how a recipient's address begins: %s"),
}
SPAN_LABELS = (
    ("", _("Any time")),
    ("1h", _("Last hour")),
    ("24h", _("Last 24 hours")),
    ("7d", _("Last 7 days")),
    ("30d", _("Last 30 days")),
)

LABELS = {
    "q": _("Searched for"),
    "span": _("Time"),
    "from": _("From (time)"),
    "to": _("To (time)"),
    "project": _("Project"),
    "credential": _("Credential"),
    "sender": _("Sending domain"),
    "domain": _("Recipient domain"),
    "receiver": _("Receiver"),
    "state": _("State"),
    "class": _("Class"),
}


def in_words(query: dict[str, str], *, projects: list[int] | None) -> str:
    """Return what a kept search asks for, in the words of the box; rows of other projects than
    these have no name in it (None: all have).
    """
    return " · ".join(
        f"{LABELS.get(name, name)}: {_value_in_words(name, str(value), projects)}"
        for name, value in query.items()
    )


def _value_in_words(name: str, value: str, projects: list[int] | None) -> str:
    match name:
        case "span":
            return str(dict(SPAN_LABELS).get(value, value))
        case "state":
            return str(
                {"live": gettext("All that wait"), **dict(DeliveryState.choices)}.get(value, value)
            )
        case "class":
            titles = {str(each): meaning.title for each, meaning in MEANINGS.items()}
            return gettext(titles[value]) if value in titles else value
        case "project" | "credential" if value.isdecimal():
            rows: Any = (Project if name == "project" else Credential).objects.filter(pk=value)
            if projects is not None:
                whose = "pk__in" if name == "project" else "project__in"
                rows = rows.filter(**{whose: projects})
            return str(rows.first() or f"#{value}")
    return value


@dataclass(slots=True)
class MessageSearch:
    """What one request asked for, and what that led to; `ids` None: nothing was searched for."""

    query: str
    narrowing: Narrowing
    projects: list[int] | None
    clues: tuple[Clue, ...] = ()
    ids: list[UUID] | None = None
    refused: int = 0
    shown_most: int = 0  # where older ones match too, how many of the newest are listed
    suppressed: list[Suppression] = field(default_factory=list)

    @property
    def taken_for(self) -> list[str]:
        return [str(TAKEN_FOR[clue.kind]) % clue.value for clue in self.clues]


class MessageList(InOrder):
    """A list whose address holds more than columns."""

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in NAMES}


def finding_of(request: HttpRequest) -> MessageSearch:
    """Return what the request asks for, looked up once."""
    known: Any = request  # an attribute of ours on it
    if not hasattr(known, "portal_finding"):
        known.portal_finding = _look_up(request)
    found: MessageSearch = known.portal_finding
    return found


def _look_up(request: HttpRequest) -> MessageSearch:
    query = storable(request.GET.get("q", "")).strip()
    projects = projects_of(request)
    finding = MessageSearch(query, narrowing_of(request.GET, now=timezone.now()), projects)
    if query:
        _search(finding, understood(query))
        _tell_of_address(request, finding)
    return finding


def _search(finding: MessageSearch, meant: Understood) -> None:
    """Ask the clues that name one message; only where none is known, the others."""
    scope = finding.narrowing.scope(finding.projects)
    for clues in (meant.exact, meant.loose):
        hits = [(clue, ids) for clue in clues if (ids := messages_of(clue, scope))]
        if hits:
            finding.clues = tuple(clue for clue, _ids in hits)
            found = {id_ for _clue, ids in hits for id_ in ids}
            finding.ids = sorted(found, reverse=True)[:FOUND_MOST]
            finding.shown_most = FOUND_MOST if len(found) >= FOUND_MOST else 0
            return
    finding.clues = tuple(dict.fromkeys([*meant.exact, *meant.loose]))
    finding.ids = []


def _tell_of_address(request: HttpRequest, finding: MessageSearch) -> None:
    """Tell what else there is of an address: whether it is suppressed now, and what apps were
    refused.
    """
    keys = [clue.value for clue in finding.clues if clue.kind == ClueKind.ADDRESS]
    if not keys:
        return
    refusals = Refusal.objects.filter(recipient_key__in=keys)
    rows = Suppression.objects.filter(
        address_key__in=[*keys, *(f"@{key.rpartition('@')[2]}" for key in keys)]
    )
    if finding.projects is not None:
        refusals = refusals.filter(project__in=finding.projects)
        rows = rows.filter(project__in=finding.projects) | rows.filter(project__isnull=True)
    finding.refused = refusals[:FOUND_MOST].count()
    if rights.may(request.user, rights.SEE, "suppressions.suppression"):
        finding.suppressed = list(rows.select_related("project").order_by("pk")[:5])


def short_query(text: str) -> str:
    """Return what stands in an address for an input; of a long one what it may name."""
    text = storable(text).strip()
    if len(text) <= SHORT and "\n" not in text:
        return text
    meant = understood(text)
    named = " ".join(_written(clue) for clue in (*meant.exact, *meant.loose))
    return named[: 4 * SHORT] or " ".join(text.split())[:SHORT]


def _written(clue: Clue) -> str:
    return f"Message-ID:<{clue.value}>" if clue.kind == ClueKind.MESSAGE_ID else clue.value


def box(request: HttpRequest) -> dict[str, Any]:
    """Return what the template of the box needs."""
    finding = finding_of(request)
    projects, credentials = (
        Project.objects.order_by("name"),
        Credential.objects.order_by("project__name", "name"),
    )
    if finding.projects is not None:
        projects = projects.filter(pk__in=finding.projects)
        credentials = credentials.filter(project__in=finding.projects)
    asked: dict[str, Any] = {name: request.GET.get(name, "") for name in NAMES}
    asked |= {name: as_typed(asked[name]) for name in ("from", "to")}
    asked |= {"project": finding.narrowing.project, "credential": finding.narrowing.credential}
    return {
        "finding": finding,
        "asked": asked,
        "is_narrowed": bool(finding.narrowing),
        "choices": {
            "span": SPAN_LABELS,
            "project": [
                ("", gettext("All")),
                *_choices(projects.values_list("pk", "name"), asked["project"]),
            ],
            "credential": [
                ("", gettext("All")),
                *(
                    (pk, f"{project} · {name}")
                    for pk, project, name in _choices(
                        credentials.values_list("pk", "project__name", "name"), asked["credential"]
                    )
                ),
            ],
            "state": [
                ("", gettext("All")),
                ("live", gettext("All that wait")),
                *DeliveryState.choices,
            ],
            "class": [
                ("", gettext("All")),
                *((str(class_), gettext(each.title)) for class_, each in MEANINGS.items()),
            ],
        },
    }


def _choices(rows: QuerySet[Any, Any], chosen: int | None) -> list[Any]:
    """Return the first of the rows, and the one that is chosen, which the form would lose else."""
    found = list(rows[:CHOICES_MOST])
    if chosen is not None and all(pk != chosen for pk, *_names in found):
        found += rows.filter(pk=chosen)
    return found
