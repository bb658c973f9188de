"""How the mail of a project or credential ended in the last thirty days, as a chart on its page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from deliveries.insight import error_rates
from deliveries.insight.error_rates import ErrorFigures, RateScope
from domains.models import Credential, Project
from domains.operations.pages import Pages

DAYS = 30


@dataclass(frozen=True, slots=True)
class DayBar:
    """`parts`: (kind, height in per cent of the highest day), from the ground up."""

    at: datetime
    figures: ErrorFigures
    parts: list[tuple[str, str]]

    @property
    def delivered(self) -> int:
        return self.figures.ended - self.figures.hard - self.figures.soft


@dataclass(frozen=True, slots=True)
class MailByDay:
    total: ErrorFigures
    bars: list[DayBar]
    query: str  # of the page with the rates


def of_project(row: Project, *, now: datetime) -> MailByDay:
    return _chart(replace(_last_days(now), projects=[row.pk]), f"project={row.pk}")


def of_credential(row: Credential, *, now: datetime) -> MailByDay:
    return _chart(replace(_last_days(now), credential=row.pk), f"credential={row.pk}")


def _last_days(now: datetime) -> RateScope:
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    return RateScope(midnight - timedelta(days=DAYS - 1), midnight + timedelta(days=1))


def _chart(scope: RateScope, query: str) -> MailByDay:
    days = error_rates.series(scope)
    most = max([1, *(each.ended for _at, each in days)])
    bars = [DayBar(at, each, _parts(each, most=most)) for at, each in days]
    return MailByDay(error_rates.total(scope), bars, f"{query}&hours={DAYS * 24}")


def _parts(each: ErrorFigures, *, most: int) -> list[tuple[str, str]]:
    amounts = (
        ("delivered", each.ended - each.hard - each.soft),
        ("live", each.soft),
        ("failed", each.hard),
    )
    return [(kind, f"{amount * 100 / most:.2f}") for kind, amount in amounts if amount > 0]


@never_cache
def project_fragment(request: HttpRequest, object_id: str) -> HttpResponse:
    pages = admin.site._registry[Project]
    assert isinstance(pages, Pages)
    context = {"days": of_project(pages.seen_row(request, object_id), now=timezone.now())}
    return TemplateResponse(request, "domains/mail_by_day.html", context)
