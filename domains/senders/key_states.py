"""Move signing keys from state to state: watched in DNS, signing, retiring, retired."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from domains.models import Domain, DomainAlertKind, KeyState, SigningKey
from domains.operations import audit
from domains.senders import domain_alerts

ACTOR = domain_alerts.ACTOR
# Alerts of a switch that was taken back: nothing is rotated by itself while one is open.
GONE_BACK = (DomainAlertKind.KEY_GONE, DomainAlertKind.KEY_REFUSED)


def note_check(
    domain: Domain, states: Mapping[str, str], *, watch: timedelta, now: datetime
) -> None:
    """Write down what a check found of the domain's keys, and switch to those that were seen.

    `states` are those of the records by name, `found` where every name server has it; `watch` is
    how long it has to be so. DNS that does not answer decides nothing.
    """
    with transaction.atomic():
        for key in domain.keys.unseen().select_for_update(of=("self",)):
            match states.get(key.record_name):
                case "found":
                    key.note_found(now=now, watch=watch)
                case "missing" | "wrong" | "spreading" | "bogus":
                    key.note_lost()
    switch(domain, now=now)


def switch(domain: Domain, *, now: datetime) -> None:
    """Let the keys that were seen sign in place of those of the same algorithm."""
    with transaction.atomic():
        Domain.objects.select_for_update().get(pk=domain.pk)  # one switch at a time
        for key in domain.keys.filter(state=KeyState.SEEN).order_by("created_at", "pk"):
            sign_alone(key, now=now)
            audit.note(ACTOR, "start_signing", key)
            for kind in GONE_BACK:
                domain_alerts.end_alert(domain, kind, now=now)


def sign_alone(key: SigningKey, *, now: datetime) -> None:
    """Let the key sign; those of its algorithm that did so retire. Raises `IntegrityError` for one
    that was not seen.
    """
    with transaction.atomic():
        _read_anew(key)
        others = key.domain.keys.active().filter(algorithm=key.algorithm).exclude(pk=key.pk)
        for other in others.select_related("domain__project"):
            other.retire(now=now)
        key.sign(now=now)


def retire(key: SigningKey, *, now: datetime) -> None:
    """Retire a key by a person's word: as it is now, it may have begun to sign."""
    with transaction.atomic():
        _read_anew(key)
        key.retire(now=now)


def _read_anew(key: SigningKey) -> None:
    """Read the key as it is now; the keys of a domain change one at a time."""
    Domain.objects.select_for_update().get(pk=key.domain_id)
    key.refresh_from_db()


def go_back(
    key: SigningKey, kind: DomainAlertKind, given: Mapping[str, str], *, now: datetime
) -> SigningKey | None:
    """Let the key before this one sign again, and warn; return it, or None where there is none, or
    where the key signs no more by now.
    """
    with transaction.atomic():
        domain = Domain.objects.select_for_update().get(pk=key.domain_id)
        key = domain.keys.select_related("domain__project").get(pk=key.pk)
        before = SigningKey.objects.predecessors(key, now=now).select_related("domain").first()
        if not key.is_active or before is None:
            return None
        sign_alone(before, now=now)
        audit.note(ACTOR, "sign_again", before, reason=str(kind.value))
        names = {"domain": domain.name, "new": key.selector, "old": before.selector}
        domain_alerts.open_alert(domain, kind, {**names, **given}, now=now)
    return before


def sign_on_word(domain: Domain) -> None:
    """Let a domain's first keys sign unseen, as an operator says who takes the domain on their
    word. Where a key signs already, new ones wait until they were seen.
    """
    if not domain.keys.active().exists():
        for key in domain.keys.waiting():
            key.sign(now=timezone.now(), unseen=True)


def retire_what_is_over(*, now: datetime) -> int:
    """Retire the keys whose record is needed no more; returns how many."""
    over = SigningKey.objects.over(now=now)
    with transaction.atomic():
        keys = list(over.select_related("domain__project").select_for_update(of=("self",)))
        for key in keys:
            audit.note(ACTOR, "retired", key)
        return over.filter(pk__in=[key.pk for key in keys]).update(state=KeyState.RETIRED)
