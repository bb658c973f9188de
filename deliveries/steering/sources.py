"""What people do with sources, pools and egress rules; and what is led home from them.

Whoever calls writes the audit log. Drains see a change within a second, and at once where they
are told.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from deliveries.models import (
    EgressRule,
    Pool,
    PoolMember,
    ShapingRule,
    Smarthost,
    Source,
    SourceRest,
)
from deliveries.queue.source_lanes import GONE, LEAD_HOME, STRANDED
from deliveries.queue.wakeups import notify_now
from domains.foundation import sql
from domains.models import ItemKind
from domains.operations.isolation import isolated

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 50_000  # deliveries of one lane in a transaction; the next turn goes on
Weights = Mapping[str, int]


@transaction.atomic
def add(source: Source, pool: str = Pool.DEFAULT, weight: int = 100) -> Source:
    """Add a source, and put it into the pool, which is made where it is not there; raise
    `ValidationError`.
    """
    source.full_clean()
    source.save(force_insert=True)
    made = Pool(name=pool) if not Pool.objects.filter(name=pool).exists() else None
    if made is not None:
        made.full_clean()
        made.save(force_insert=True)
    PoolMember.objects.create(
        pool=made or Pool.objects.get(name=pool), source=source, weight=weight
    )
    tell()
    return source


def remove(source: Source) -> None:
    """Remove a source; what waits for it is led to the others of its pool."""
    source.delete()
    tell()


def set_state(source: Source, state: str, reason: str) -> None:
    """Give the whole source another state."""
    Source.objects.filter(pk=source.pk).update(
        state=state, reason=reason, state_since=timezone.now()
    )
    source.state, source.reason = state, reason
    tell()


def rest(
    source: Source, receiver: str, *, reason: str, by: str, until: datetime | None = None
) -> SourceRest:
    """Send nothing from this source to this receiver; raise `ValidationError` for an unknown one.

    A rest that is there already is replaced.
    """
    ShapingRule.objects.all().must_have([receiver])
    given = {"until": until, "reason": reason, "created_by": by}
    made = SourceRest.objects.update_or_create(source=source, receiver=receiver, defaults=given)[0]
    tell()
    return made


def end_rest(source: Source, receiver: str) -> bool:
    """Tell whether there was one."""
    gone, _by_model = SourceRest.objects.filter(source=source, receiver=receiver).delete()
    tell()
    return bool(gone)


@transaction.atomic
def set_pool(name: str, weights: Weights | None, **values: bool | Smarthost | None) -> Pool:
    """Give the pool these values (`urgent_warms`, `overflow`) and these sources with these
    weights; raise `ValidationError`. What is not given stays as it is.
    """
    pool = Pool.objects.select_for_update().filter(name=name).first() or Pool(name=name)
    for column, value in values.items():
        setattr(pool, column, value)
    pool.full_clean()
    pool.save()
    if weights is not None:
        _set_members(pool, weights)
    tell()
    return pool


def _set_members(pool: Pool, weights: Weights) -> None:
    sources = _named(weights)
    pool.members.all().delete()
    for each, weight in weights.items():
        member = PoolMember(pool=pool, source=sources[each], weight=weight)
        member.full_clean()
        member.save()


def weights_of(members: Iterable[str]) -> dict[str, int]:
    """Return the weights of `east` (which is 100) and `west=300`; raise `ValidationError`."""
    found = {}
    for text in members:
        name, _mark, weight = text.partition("=")
        if weight and not (weight.isascii() and weight.isdigit()):
            raise ValidationError(
                _("%(text)s is no SOURCE=WEIGHT, such as east=300.") % {"text": text}
            )
        found[name] = int(weight or 100)
    _named(found)
    return found


def _named(weights: Weights) -> dict[str, Source]:
    found = {source.name: source for source in Source.objects.filter(name__in=weights)}
    if unknown := sorted(weights.keys() - found.keys()):
        raise ValidationError(_("There is no source %(names)s.") % {"names": ", ".join(unknown)})
    return found


def remove_pool(pool: Pool) -> None:
    """Raise `ValidationError` where a rule leads to it."""
    if rules := list(pool.rules.all()):
        raise ValidationError(
            _("Egress rules lead to the pool %(pool)s: %(rules)s. Remove them first.")
            % {"pool": pool, "rules": "; ".join(map(str, rules))}
        )
    if names := list(pool.tenant_rules.values_list("name", flat=True)):
        raise ValidationError(
            _("Rules for tenants lead to the pool %(pool)s: %(rules)s. Remove them first.")
            % {"pool": pool, "rules": ", ".join(names)}
        )
    pool.delete()
    tell()


def add_rule(rule: EgressRule) -> EgressRule:
    """Raise `ValidationError`."""
    rule.full_clean()
    rule.save(force_insert=True)
    tell()
    return rule


def remove_rule(rule: EgressRule) -> None:
    """Remove a rule; the rules that are left lead its waiting mail."""
    rule.delete()
    tell()


def tell() -> None:
    """Have the drains read it when this transaction is over."""
    transaction.on_commit(partial(notify_now, has_orders=True))


def lead_stranded_home() -> int:
    """Lead mail whose source can carry it no more back to its site's own lane; return how many."""
    moved = 0
    homes: set[int] = set()
    stranded = sql.rows(STRANDED, {"gone": GONE})
    for lane, home in stranded:
        with isolated(ItemKind.LANE, lane, lasting=False):
            moved += (led := _lead_home(lane, home))
            homes.update({home} if led else ())
    if homes:
        notify_now(homes)
        logger.info("event=led-home deliveries=%d lanes=%d", moved, len(homes))
    return moved


def _lead_home(lane: int, home: int) -> int:
    moved = 0
    while moved < MOST_AT_ONCE:
        led = sql.run(LEAD_HOME, {"lane": lane, "home": home})
        if led <= 0:
            break
        moved += led
    return moved
