"""The trail above a page, in the sidebar's words: a page has one name and stands in one section."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from django import template
from django.contrib import admin
from django.db.models import Model
from django.utils.html import conditional_escape
from django.utils.safestring import mark_safe
from django.utils.translation import gettext

from relay_portal.pages.navigation import SIDEBAR, Text, link_of

register = template.Library()


@register.filter
def in_the_sidebars_words(parts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return Unfold's parts of the trail (app, list, object) with the sidebar's section for the
    app, and its title for the list.
    """
    if len(parts) < 2 or (named := _names().get(str(parts[1].get("link", "")))) is None:
        return list(parts)
    section, title = named
    return [{"title": section}, parts[1] | {"title": title}, *map(_named, parts[2:])]


@register.filter
def in_order(html: str, name: str) -> str:
    """Return Unfold's row of buttons with the words of "Delete" and its object in the order of the
    reader's language.
    """
    verb_first = f"{gettext('Delete')} {name}"
    said = conditional_escape(gettext("Delete %(name)s") % {"name": name})
    return mark_safe(html.replace(verb_first, said))  # noqa: S308  # rendered by a template


def _named(part: dict[str, Any]) -> dict[str, Any]:
    """Return the part with the name that the pages of a row give it."""
    row = part["title"]
    pages: Any = admin.site._registry.get(type(row)) if isinstance(row, Model) else None
    return part | {"title": pages.shown_name(row)} if pages else part


@cache
def _names() -> dict[str, tuple[Text, Text]]:
    """Return the section and the title of each page, by its address."""
    return {
        link_of(entry): (section, entry.title) for section, entries in SIDEBAR for entry in entries
    }
