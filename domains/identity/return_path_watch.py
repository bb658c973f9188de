"""Watches the names that domains' mail leaves with: a look at the one record, at every name server,
and a whole check where that would change something.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings

from domains.foundation.dns.authorities import Authorities
from domains.foundation.dns.question_rate import QuestionRate
from domains.foundation.dns.resolver import Resolver
from domains.foundation.dns.servers import nameservers
from domains.foundation.upkeep.turns import Turn
from domains.identity import checking, looks
from domains.identity.inspection import Inspector
from domains.models import Domain, ItemKind, ReadPosition, ReturnPath
from domains.operations.isolation import is_free
from domains.senders import return_paths
from domains.senders.records import Purpose, Record

logger = logging.getLogger(__name__)

SHARE = 0.25  # of the questions that all checks may ask, so that the others come to their turn
GROUP = 10  # names that are looked at at once
NAME = "return paths"


def take_turn(*, now: datetime, most: int | None = None) -> int:
    """Look at as many as there is time for, `most` at most, after those of the last turn; return
    how many are left for the next one.
    """
    rows, pace, moved = list(_watched()), QuestionRate(SHARE), 0
    start = _behind(rows)
    line = [*rows[start:], *rows[:start]][:most]
    turn = Turn([line[at : at + GROUP] for at in range(0, len(line), GROUP)])
    left = len(line)
    for group in turn:
        if changed := asyncio.run(_changed(group, pace, now=now)):
            checking.check(changed, now=now)
        moved += len(changed)
        left -= len(group)
        ReadPosition.objects.update_or_create(name=NAME, defaults={"value": group[-1].pk})
    logger.info("event=return_paths_watched changed=%d left=%d", moved, left)
    return left


def _behind(rows: Sequence[ReturnPath]) -> int:
    """Return the place after the one that was looked at last."""
    last = ReadPosition.objects.filter(name=NAME).values_list("value", flat=True).first() or 0
    return next((at for at, row in enumerate(rows) if row.pk > last), 0)


def _watched() -> list[ReturnPath]:
    free = Domain.objects.filter(is_free(ItemKind.DOMAIN))
    rows = ReturnPath.objects.current().filter(domain__in=free).select_related("domain")
    return list(rows.order_by("pk"))


async def _changed(
    rows: Sequence[ReturnPath], pace: QuestionRate, *, now: datetime
) -> list[Domain]:
    """Return the domains whose return path is not as their row says."""
    resolver = Resolver(nameservers(settings.EKIDEN_DNS), pace=pace)
    asker = looks.authorities(resolver, pace)
    looking = (_state(row, resolver, asker) for row in rows)
    states = await asyncio.gather(*looking, return_exceptions=True)
    found = []
    for row, state in zip(rows, states, strict=True):
        if isinstance(state, BaseException):
            logger.warning("event=return-path-not-looked-at name=%s text=%r", row.name, str(state))
        elif row.domain is not None and return_paths.would_move(row, state, now=now):
            found.append(row.domain)
    return found


async def _state(row: ReturnPath, resolver: Resolver, asker: Authorities) -> str:
    assert row.domain is not None
    record = Record(Purpose.RETURN_PATH, row.name, "CNAME", settings.EKIDEN_HOSTNAME)
    zone = await asker.zone_of(row.domain.name)
    return (await Inspector(row.domain.name, zone, asker, resolver).look(record)).state
