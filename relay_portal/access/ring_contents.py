"""What the key ring encrypts in the database, and how it goes over to the newest key."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django_otp.plugins.otp_totp.models import TOTPDevice

from deliveries.models import Smarthost, SmarthostToken
from deliveries.routing import smarthost_secrets
from domains.foundation.secrets.keyring import KeyRing, KeyRingError
from domains.models import SigningKey, UpdateKey
from relay_portal.access import second_factors

logger = logging.getLogger(__name__)


class RingContent(NamedTuple):
    """One column whose values the ring encrypts; `name` is what people call its rows."""

    name: str
    rows: Callable[[], QuerySet[Any]]
    column: str
    is_newest: Callable[[Any, KeyRing], bool]
    renewed: Callable[[Any, KeyRing], Any]


class RingUse(NamedTuple):
    """How many values of a column stand under the newest key, under older ones, and under none
    that this ring has.
    """

    newest: int = 0
    older: int = 0
    unreadable: int = 0


def _seeds() -> QuerySet[Any]:
    found: QuerySet[Any] = TOTPDevice.objects.filter(key__startswith=second_factors.SEALED)
    return found


CONTENTS = (
    RingContent(
        "DKIM keys",
        SigningKey.objects.all,
        "private_key",
        lambda stored, ring: ring.is_newest(stored),
        lambda stored, ring: ring.reencrypt(stored),
    ),
    RingContent(
        "seeds of second factors",
        _seeds,
        "key",
        second_factors.is_newest,
        lambda stored, ring: second_factors.sealed_seed(
            second_factors.seed_of(stored, ring).hex(), ring
        ),
    ),
    RingContent(
        "secrets of smarthosts",
        Smarthost.objects.with_secrets,
        "sealed",
        smarthost_secrets.is_newest,
        smarthost_secrets.renewed,
    ),
    RingContent(
        "access tokens of smarthosts",
        SmarthostToken.objects.held,
        "sealed",
        smarthost_secrets.is_newest,
        smarthost_secrets.renewed,
    ),
    RingContent(
        "keys of zone updates",
        UpdateKey.objects.all,
        "secret",
        lambda stored, ring: ring.is_newest(stored),
        lambda stored, ring: ring.reencrypt(stored),
    ),
)


def use(ring: KeyRing) -> dict[str, RingUse]:
    """Count each column's values by the key that they stand under; changes nothing."""
    return {each.name: _use(each, ring, change=False) for each in CONTENTS}


def renew(ring: KeyRing) -> dict[str, RingUse]:
    """Put all values under the newest key; what they stood under before is counted.

    A value that no key opens stays as it is. One that somebody changes meanwhile is his.
    Running it again goes on where it was broken off.
    """
    return {each.name: _use(each, ring, change=True) for each in CONTENTS}


def _use(content: RingContent, ring: KeyRing, *, change: bool) -> RingUse:
    found = dict.fromkeys(RingUse._fields, 0)
    for pk, stored in content.rows().values_list("pk", content.column).iterator():
        found[_look(content, ring, pk, stored, change=change)] += 1
    return RingUse(**found)


def _look(content: RingContent, ring: KeyRing, pk: Any, stored: Any, *, change: bool) -> str:
    if content.is_newest(stored, ring):
        return "newest"
    try:
        renewed = content.renewed(stored, ring)
    except KeyRingError as error:
        logger.warning("event=not-under-this-ring what=%r id=%s error=%s", content.name, pk, error)
        return "unreadable"
    if change:
        content.rows().filter(pk=pk, **{content.column: stored}).update(**{content.column: renewed})
    return "older"
