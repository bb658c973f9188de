"""Limits over providers: written down, changed and taken back. Whoever calls writes the audit log.

Drains follow within a second.
"""

from __future__ import annotations

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from deliveries.models import ProviderLimit, ShapingRule
from deliveries.queue.wakeups import notify_now
from deliveries.shaping import sharing

COLUMNS = frozenset({"receivers", "connections", "messages", "period"})


@transaction.atomic
def save(row: ProviderLimit, columns: Collection[str] | None = None) -> ProviderLimit:
    """Write it down, or these columns of it; raise `ValidationError`. What lanes have of it now
    stays.
    """
    check(row)
    row.full_clean()
    row.changed_at = timezone.now()
    if row.pk is None:
        row.save()
    else:
        row.save(update_fields={*(COLUMNS if columns is None else columns), "changed_at"})
    transaction.on_commit(lambda: notify_now(has_orders=True))
    return row


def check(row: ProviderLimit) -> None:
    """Raise `ValidationError` for a receiver that has no rule."""
    row.receivers = sorted({name.strip() for name in row.receivers or [] if name.strip()})
    try:
        ShapingRule.objects.all().must_have(row.receivers)
    except ValidationError as error:
        raise ValidationError({"receivers": error.messages}) from error


@transaction.atomic
def remove(row: ProviderLimit) -> None:
    """Take it back: lanes have their own limits alone."""
    row.delete()
    transaction.on_commit(lambda: notify_now(has_orders=True))


def in_use(row: ProviderLimit) -> int:
    """Return how many connections all lanes have now."""
    return sharing.in_use(row.state, now=timezone.now().timestamp())


def sentence(row: ProviderLimit) -> str:
    """Say what it allows, for people."""
    parts = []
    if row.connections:
        parts.append(_("%(number)d connections at once") % {"number": row.connections})
    if row.messages:
        given = {"number": row.messages, "period": row.get_period_display()}
        parts.append(_("%(number)d messages %(period)s") % given)
    return ", ".join(parts)
