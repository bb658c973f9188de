"""Answers that no rule understood: how often each form came, from whom, and a way to a rule."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from deliveries.bounces import unknown_answers
from deliveries.bounces.unknown_answers import UnknownAnswer
from suppressions.classes import MEANINGS, Class


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show them, or with `?export` return the file that a contribution to the rules begins with."""
    found = unknown_answers.collect(now=timezone.now())
    if "export" in request.GET:
        headers = {"Content-Disposition": 'attachment; filename="unknown-answers.tsv"'}
        return HttpResponse(
            "\n".join([*unknown_answers.exported(found), ""]),
            content_type="text/tab-separated-values; charset=utf-8",
            headers=headers,
        )
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Answers that no rule understood"),
        "rows": [
            (
                each,
                _(MEANINGS[Class(each.category)].title) if each.category else "",
                _rule_for(each),
            )
            for each in found
        ],
    }
    return TemplateResponse(request, "portal/unknown_answers.html", context)


def _rule_for(each: UnknownAnswer) -> str:
    """Return the link to the page that adds a rule, filled in."""
    given = {"pattern": each.pattern, "example": each.example, "stages": each.stage}
    if each.provider != "default":
        given["providers"] = each.provider
    return f"{reverse('admin:deliveries_localrule_add')}?{urlencode(given)}"
