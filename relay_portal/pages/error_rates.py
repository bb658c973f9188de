"""How much of the mail fails: for projects, credentials, receivers and classes, and over time;
each figure leads closer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from deliveries.insight import error_rates
from deliveries.insight.error_rates import ErrorFigures, RateScope
from deliveries.models import Alert
from domains.foundation.text.texts import storable
from domains.models import Credential, Project
from domains.operations.own_projects import projects_of
from suppressions.classes import MEANINGS, Class

SPANS: dict[str, tuple[int, Promise | str]] = {
    "24": (24, gettext_lazy("24 hours")), "168": (168, gettext_lazy("7 days")),
    "720": (720, gettext_lazy("30 days")),
    "2160": (2160, gettext_lazy("90 days")),
}  # fmt: skip
SHOWN_MOST = 50
Projects = Sequence[int] | None  # that somebody is limited to; None: to none


def page(request: HttpRequest) -> HttpResponse:
    """Show the rates of all projects, or of those that this person is limited to."""
    asked = {
        name: storable(request.GET.get(name, ""))
        for name in ("hours", "project", "credential", "provider", "class")
    }
    asked["hours"] = asked["hours"] if asked["hours"] in SPANS else "24"
    scope = _scope(request, asked)
    points = error_rates.series(scope)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Error rates"),
        "spans": [
            (hours, title, _link(asked, hours=hours), hours == asked["hours"])
            for hours, (_hours, title) in SPANS.items()
        ],
        "chosen": _chosen(asked, scope.projects),
        "total": error_rates.total(scope),
        "bars": [_bar(at, figures, most=_highest(points)) for at, figures in points],
        "points": points,
        "highest": _highest(points),
        "is_hourly": int(asked["hours"]) <= 48,
        "tables": [
            _table(dimension, scope, asked)
            for dimension in ("project", "credential", "provider", "class")
            if not asked[dimension]
        ],
        "alerts": _alerts(request),
    }
    return TemplateResponse(request, "portal/error_rates.html", context)


def _scope(request: HttpRequest, asked: dict[str, str]) -> RateScope:
    until = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    mine = projects_of(request)
    scope = RateScope(until - timedelta(hours=SPANS[asked["hours"]][0]), until, projects=mine)
    if (project := _number(asked["project"])) is not None:
        scope = replace(scope, projects=[project] if mine is None or project in mine else [])
    class_ = asked["class"] if asked["class"] in MEANINGS else ""
    return replace(
        scope,
        credential=_number(asked["credential"]),
        provider=asked["provider"] or None,
        class_=class_,
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _highest(points: list[tuple[Any, ErrorFigures]]) -> float:
    """Return the top of the picture, in per cent: at least one."""
    return max([1.0, *(each.hard_rate + each.soft_rate for _at, each in points)])


def _bar(at: Any, each: ErrorFigures, *, most: float) -> dict[str, Any]:
    parts = [("failed", each.hard_rate), ("live", each.soft_rate)]
    return {
        "at": at,
        **asdict(each),
        "parts": [(kind, f"{rate * 100 / most:.2f}") for kind, rate in parts if rate],
        "rate": each.hard_rate,
    }


def _chosen(asked: dict[str, str], mine: Projects) -> list[tuple[str, str]]:
    """Return what narrows the page, each with the link that takes it away."""
    names = [
        (name, _label(name, asked[name], mine))
        for name in ("project", "credential", "provider", "class")
        if asked[name]
    ]
    return [(label, _link(asked, **{name: ""})) for name, label in names]


def _table(dimension: str, scope: RateScope, asked: dict[str, str]) -> dict[str, Any]:
    titles = {
        "project": _("Projects"),
        "credential": _("Credentials"),
        "provider": _("Receivers"),
        "class": _("Classes"),
    }
    found = error_rates.by(dimension, scope)
    labels = _labels(dimension, list(found)[:SHOWN_MOST], scope.projects)
    rows = [
        (labels[key], _link(asked, **{dimension: key}) if key not in (0, "") else "", found[key])
        for key in labels
    ]
    return {"title": titles[dimension], "rows": rows, "is_cut": len(found) > SHOWN_MOST}


def _labels(dimension: str, keys: list[Any], mine: Projects) -> dict[Any, str]:
    """Name the keys in their order, with two statements at most; what is another project's has no
    name for who is limited to `mine`.
    """
    if dimension == "project":
        projects = Project.objects.all() if mine is None else Project.objects.filter(pk__in=mine)
        named: dict[Any, Any] = projects.in_bulk(keys)
    elif dimension == "credential":
        rows = Credential.objects.filter(pk__in=keys).select_related("project")
        rows = rows if mine is None else rows.filter(project__in=mine)
        named = {each.pk: each for each in rows}
    else:
        return {key: _label(dimension, key, mine) for key in keys}
    return {key: str(named.get(key) or key or _("our own reports")) for key in keys}


def _label(dimension: str, key: Any, mine: Projects) -> str:
    match dimension:
        case "class":
            return _(MEANINGS[Class(key)].title) if key in MEANINGS else str(key)
        case "project" | "credential" if _number(str(key)) is not None:
            return _labels(dimension, [_number(str(key))], mine)[_number(str(key))]
    return str(key) or _("not known")


def _link(asked: dict[str, str], **changed: Any) -> str:
    return "?" + urlencode(
        {name: value for name, value in {**asked, **changed}.items() if value not in ("", None)}
    )


def _alerts(request: HttpRequest) -> list[Alert]:
    found = Alert.objects.filter(ended_at__isnull=True).select_related("credential__project")
    mine = projects_of(request)
    return list(found if mine is None else found.filter(credential__project__in=mine))
