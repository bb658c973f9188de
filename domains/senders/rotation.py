"""Makes the next key of domains whose selectors are delegated, when the one that signs is old."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import (
    Count,
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    QuerySet,
    Value,
)

from domains.models import (
    DelegatedSelector,
    Domain,
    DomainAlert,
    ItemKind,
    KeyAlgorithm,
    SigningKey,
)
from domains.operations import audit
from domains.operations.isolation import is_free, isolated
from domains.senders import delegation
from domains.senders.key_states import GONE_BACK
from domains.senders.keys import make_key

ACTOR = "key rotation"
AT_ONCE = 50  # domains of one turn: making a key takes a tenth of a second
RSA = KeyAlgorithm.RSA
_DAY = Value(timedelta(days=1), DurationField())
_DAYS = ExpressionWrapper(F("domain__rotation_days") * _DAY, DurationField())
NEXT_AT = ExpressionWrapper(F("signs_since") + _DAYS, DateTimeField())


def rotate_due(*, now: datetime) -> int:
    """Return how many keys were made; what is left is for the next turn."""
    if not settings.EKIDEN_KEY_ZONE:
        return 0
    made = 0
    for domain in list(due(now=now)[:AT_ONCE]):
        with isolated(ItemKind.DOMAIN, domain.pk):
            made += _rotate(domain)
    return made


@transaction.atomic
def _rotate(domain: Domain) -> bool:
    Domain.objects.select_for_update().get(pk=domain.pk)  # two turns at once make one key
    if domain.keys.waiting().filter(algorithm=RSA).exists():
        return False
    try:
        key = make_key(domain)
    except delegation.SelectorsBusy:
        return False
    audit.note(ACTOR, "rotate", key)
    return True


def due(*, now: datetime) -> QuerySet[Domain]:
    """Return domains whose RSA key is as old as they let it be, or stands in their own zone though
    its selectors are delegated; those whose last switch was taken back wait for a person.
    """
    mine = {"domain": OuterRef("pk")}
    keys = SigningKey.objects.filter(**mine, algorithm=RSA)
    delegated = DelegatedSelector.objects.filter(**mine, is_found=True, is_ending=False)
    elsewhere = keys.active().exclude(selector__in=delegation.SELECTORS)
    old = keys.active().annotate(next_at=NEXT_AT).filter(next_at__lte=now)
    both = delegated.values("domain").annotate(n=Count("pk")).filter(n=len(delegation.SELECTORS))
    return (
        Domain.objects.verified()
        .filter(is_free(ItemKind.DOMAIN), rotation_days__gt=0)
        .filter(Exists(both), Exists(elsewhere) | Exists(old))
        .exclude(Exists(keys.waiting()))
        .exclude(Exists(DomainAlert.objects.filter(**mine, kind__in=GONE_BACK, ended_at=None)))
        .order_by("pk")
    )
