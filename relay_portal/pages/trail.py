"""The trail above a page, in the sidebar's words: a page has one name and stands in one section."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from django import template

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
    return [{"title": section}, parts[1] | {"title": title}, *parts[2:]]


@cache
def _names() -> dict[str, tuple[Text, Text]]:
    """Return the section and the title of each page, by its address."""
    return {
        link_of(entry): (section, entry.title) for section, entries in SIDEBAR for entry in entries
    }
