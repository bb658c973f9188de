"""How the audit log reads: its entries hold codes and English names, and are shown in the words of
the pages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field, Model
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from domains.models import AuditEntry
from domains.operations.audit import COMMAND_LINE, action_label

# What acts by itself.
ACTORS = {
    "alert": _("Alerts"),
    "isolation": _("What cannot be handled"),
    "domain checks": _("Check of domains"),
    "key rotation": _("Change of keys"),
    "second look": _("Second looks"),
    "warm-up": _("Warm-ups"),
    "rest": _("Rests of sources"),
    "rule for tenants": _("Rules for tenants"),
    "block list": _("Block lists"),
    "probation": _("Probation"),
}
OTHER_KINDS = {"queue": _("Queue")}  # things that are no rows
# The names of these rows are words of ours, some with a number behind them.
NAMED_BY_US = frozenset(
    {
        "deliveries.egressrule",
        "deliveries.lane",
        "deliveries.order",
        "deliveries.reclassification",
        "deliveries.stop",
    }
)
BY_COMMAND = re.compile(re.escape(COMMAND_LINE).replace("%s", "(.*)"))
NAME_AND_REST = re.compile(r"(.+?)((?: #?\d+| → .*)?)", re.DOTALL)


def actor_label(actor: str) -> str:
    """Return a person's name as it is, and whatever else acts in the reader's language."""
    if found := BY_COMMAND.fullmatch(actor):
        return gettext(COMMAND_LINE) % found[1]
    return str(ACTORS.get(actor, actor))


def kind_label(kind: str) -> str:
    """Return what the pages call such a thing; a kind that is no more, as it was noted."""
    model = _model(kind)
    return str(capfirst(model._meta.verbose_name) if model else OTHER_KINDS.get(kind, kind))


def thing_label(entry: AuditEntry) -> str:
    """Return the name that was noted, in the reader's language where it is a word of ours."""
    if entry.object_type not in NAMED_BY_US:
        return entry.object_name
    found = NAME_AND_REST.fullmatch(entry.object_name)
    return gettext(found[1]) + found[2] if found and found[1] else entry.object_name


def title(entry: AuditEntry) -> str:
    return f"{action_label(entry.action)}: {thing_label(entry)}"


def lines(entry: AuditEntry) -> Iterator[str]:
    """Write `name: before → after` for what changed, `name: value` for the rest."""
    yield from changed(entry)
    details = {name: value for name, value in entry.details.items() if name != "changed"}
    for name, value in {**(details.pop("values", None) or {}), **details}.items():
        label, shown = _spelled(entry.object_type, name, value)
        yield f"{label}: {shown}"


def changed(entry: AuditEntry) -> Iterator[str]:
    for name, (before, after) in (entry.details.get("changed") or {}).items():
        label, shown = _spelled(entry.object_type, name, before)
        yield f"{label}: {shown} → {_spelled(entry.object_type, name, after)[1]}"


def _spelled(kind: str, name: str, value: Any) -> tuple[str, str]:
    """Return the name of a column and its value as the pages write both."""
    field = _field(kind, name)
    label = str(capfirst(field.verbose_name)) if field else name
    return label, _value(dict(field.flatchoices) if field else {}, value)


def _value(choices: dict[Any, Any], value: Any) -> str:
    match value:
        case None | "":
            return "–"
        case bool():
            return gettext("Yes") if value else gettext("No")
        case str() | int() if value in choices:
            return str(choices[value])
        case str():
            return value
    return json.dumps(value, ensure_ascii=False)


def _model(kind: str) -> type[Model] | None:
    try:
        return apps.get_model(kind)
    except (LookupError, ValueError):
        return None


def _field(kind: str, name: str) -> Field[Any, Any] | None:
    model = _model(kind)
    try:
        found = model._meta.get_field(name) if model else None
    except FieldDoesNotExist:
        return None
    return found if isinstance(found, Field) else None
