"""The shaping rules as rows: the shipped ones kept up to date, those that people changed left
alone, and back to shipped.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from deliveries.models import ShapingRule
from deliveries.queue.wakeups import notify_now
from deliveries.shaping import providers
from deliveries.shaping.providers import ReceiverRule
from domains.foundation.text.addresses import BadAddress, canonical_domain

SHIPPED: dict[str, ReceiverRule] = {
    rule.name: rule for rule in (providers.DEFAULT, *providers.RULES)
}


@transaction.atomic
def sync() -> None:
    """Bring the rows up to the rules that this version ships; those that people changed stay."""
    known = {row.name: row for row in ShapingRule.objects.all()}
    for name, rule in SHIPPED.items():
        row = known.get(name)
        if row is None or (not row.is_edited and _differs(row, rule)):
            _write(rule)
    for row in known.values():
        if row.is_shipped and row.name not in SHIPPED:
            _retire(row)


def reset(row: ShapingRule) -> None:
    """Restore what is shipped. Raises `KeyError` for a rule that people added."""
    _write(SHIPPED[row.name])
    row.refresh_from_db()
    transaction.on_commit(lambda: notify_now(has_orders=True))


def save(row: ShapingRule, columns: Collection[str] | None = None) -> None:
    """Write down what a person changed: these columns, or all; drains follow within a second."""
    row.is_edited = True
    row.changed_at = timezone.now()
    row.save(update_fields=None if columns is None else {*columns, "is_edited", "changed_at"})
    transaction.on_commit(lambda: notify_now(has_orders=True))


def remove(row: ShapingRule) -> None:
    """Remove a rule that people added; a shipped one can only be reset."""
    row.delete()
    transaction.on_commit(lambda: notify_now(has_orders=True))


def check(row: ShapingRule) -> None:
    """Check that names are canonical and belong to no other rule. Raises `ValidationError` by
    field.
    """
    row.mx_suffixes = _names(row.mx_suffixes, "mx_suffixes")
    row.domains = _names(row.domains, "domains")
    others = ShapingRule.objects.exclude(pk=row.pk)
    for field in ("mx_suffixes", "domains"):
        names = getattr(row, field)
        if (other := others.filter(**{f"{field}__overlap": names}).first()) is not None:
            shared = sorted(set(names) & set(getattr(other, field)))
            raise ValidationError(
                {
                    field: _("%(names)s already belongs to the rule %(rule)s.")
                    % {"names": ", ".join(shared), "rule": other}
                }
            )
    if row.name != ShapingRule.DEFAULT and not (row.mx_suffixes or row.domains):
        raise ValidationError(
            _("A rule needs an MX host suffix or a recipient domain; else it never applies.")
        )
    if row.name == ShapingRule.DEFAULT and not (row.connections and row.messages_per_connection):
        raise ValidationError(
            _(
                "The rule for all others needs a number of connections and of messages on each: "
                "they fill in everybody's."
            )
        )


def _names(given: list[str], field: str) -> list[str]:
    try:
        return [
            canonical_domain(name.strip().removeprefix("*").strip("."))
            for name in given or []
            if name.strip()
        ]
    except BadAddress as error:
        raise ValidationError({field: _("This is no domain name.")}) from error


def _values(rule: ReceiverRule) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(rule).items()
    }


def _differs(row: ShapingRule, rule: ReceiverRule) -> bool:
    return not row.is_shipped or any(
        getattr(row, name) != value for name, value in _values(rule).items()
    )


def _write(rule: ReceiverRule) -> None:
    values = _values(rule)
    fixed = {"is_shipped": True, "is_edited": False, "changed_at": timezone.now()}
    ShapingRule.objects.update_or_create(name=values.pop("name"), defaults=values | fixed)


def _retire(row: ShapingRule) -> None:
    """Remove a rule that is shipped no more; one that people changed becomes their own."""
    if row.is_edited:
        ShapingRule.objects.filter(pk=row.pk).update(is_shipped=False, changed_at=timezone.now())
    else:
        row.delete()
