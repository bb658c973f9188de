"""Watches the records of keys that have begun to sign: where one goes from a name server, the key
before it signs again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings

from domains.foundation.dns.question_rate import QuestionRate
from domains.foundation.dns.resolver import Resolver
from domains.foundation.dns.servers import nameservers
from domains.identity import delegated_keys, looks
from domains.identity.inspection import Inspection
from domains.models import DomainAlertKind, ItemKind, SigningKey
from domains.operations.isolation import isolated
from domains.senders import delegation, key_states
from domains.senders.records import Record

logger = logging.getLogger(__name__)

WATCHED = timedelta(days=1)  # after a switch; then the daily check of the domain looks
SHARE = 0.5  # of the questions that all checks may ask
GROUP = 20  # keys that are looked at at once
TURN = 20.0  # seconds; what is left then is looked at first the next time


def take_turn(*, now: datetime, seconds: float = TURN) -> int:
    """Look at the keys that signed for the first time lately; return how many were replaced by
    those before them.
    """
    ends, pace, gone_back = time.monotonic() + seconds, QuestionRate(SHARE, is_urgent=True), 0
    switched = SigningKey.objects.switched_since(now - WATCHED).select_related("domain")
    keys = list(switched.order_by("-signs_since", "pk"))
    for at in range(0, len(keys), GROUP):
        if time.monotonic() > ends:
            logger.warning("event=keys-not-looked-at amount=%d", len(keys) - at)
            break
        for key in lacking(keys[at : at + GROUP], pace):
            with isolated(ItemKind.DOMAIN, key.domain_id):
                gone_back += look_back(key, pace, now=now)
    return gone_back


def look_back(key: SigningKey, pace: QuestionRate | None = None, *, now: datetime) -> bool:
    """Let the key before this one sign, where its own record stands."""
    before = SigningKey.objects.predecessors(key, now=now).select_related("domain").first()
    if before is None or lacking([before], pace):
        logger.warning("event=no-key-to-go-back-to key=%s", key.record_name)
        return False
    return key_states.go_back(key, DomainAlertKind.KEY_GONE, {}, now=now) is not None


def lacking(keys: Sequence[SigningKey], pace: QuestionRate | None = None) -> list[SigningKey]:
    """Return those whose record is not at every name server of its zone, by two looks: a server
    that loads its zone may lack a record for a moment.
    """
    places = {key: delegation.places(key, delegation.selectors(key.domain)) for key in keys}
    first = asyncio.run(_lacking(places, pace))
    again = {key: places[key] for key in first}
    return asyncio.run(_lacking(again, pace)) if again else []


async def _lacking(
    places: Mapping[SigningKey, list[tuple[str, Record]]], pace: QuestionRate | None
) -> list[SigningKey]:
    pace = pace or QuestionRate(is_urgent=True)
    resolver = Resolver(nameservers(settings.EKIDEN_DNS), pace=pace)
    asker = looks.authorities(resolver, pace)
    looking = (delegated_keys.look_at(each, asker, resolver) for each in places.values())
    seen = await asyncio.gather(*looking, return_exceptions=True)
    found = []
    for key, each in zip(places, seen, strict=True):
        if isinstance(each, BaseException):
            logger.warning("event=key-not-looked-at key=%s text=%r", key.record_name, str(each))
        elif any(map(_is_lacking, each)):
            found.append(key)
    return found


def _is_lacking(seen: Inspection) -> bool:
    """Tell if a name server says that it is not there; a resolver that is behind decides nothing
    where the servers can be asked.
    """
    if seen.hosts:
        return any(host.state in ("missing", "wrong") for host in seen.hosts)
    return seen.state in ("missing", "wrong")
