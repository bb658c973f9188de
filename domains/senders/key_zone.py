"""Keeps the zone of delegated keys at its name server, by dynamic updates (RFC 2136)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F, OuterRef, Subquery, TextField, Value
from django.db.models.functions import Coalesce, Now

from domains.foundation.dns import updates
from domains.foundation.dns.servers import nameservers
from domains.foundation.dns.updates import UpdateFailure, UpdateSignature
from domains.foundation.text import texts
from domains.models import DelegatedSelector, ItemKind, SigningKey, UpdateKey
from domains.operations.isolation import isolated
from domains.senders.keys import ring

logger = logging.getLogger(__name__)

TTL = 300  # seconds: a key that is put right is soon seen by all
STRING = 200  # characters of one string of a TXT record


def keep(*, now: datetime) -> int:
    """Tell the server what it does not know yet; return how many records it has taken.

    Without a server the zone is exported as a file, and nothing is told.
    """
    if not settings.EKIDEN_KEY_ZONE or not settings.EKIDEN_KEY_ZONE_SERVER:
        return 0
    rows = list(_untold())
    if not rows:
        return 0
    try:
        signature = signature_now()
    except ValueError as error:
        return _note_trouble(rows, str(error))
    taken = 0
    for row in rows:
        try:
            _tell(row, signature)
        except UpdateFailure as error:
            _note_trouble([row], str(error))
            if error.is_silence:
                break
            continue
        with isolated(ItemKind.DOMAIN, row.domain_id):
            _note_taken(row, now=now)
            taken += 1
    return taken


def wanted() -> Iterable[DelegatedSelector]:
    """Return all delegated selectors, each with the `value` of its key, or ""."""
    keys = SigningKey.objects.to_publish().filter(
        domain=OuterRef("domain"), selector=OuterRef("selector")
    )
    value = Coalesce(Subquery(keys.values("public_record")[:1]), Value("", TextField()))
    return DelegatedSelector.objects.annotate(value=value).select_related("domain")


def _untold() -> Iterable[DelegatedSelector]:
    rows: Iterable[DelegatedSelector] = wanted().exclude(value=F("kept_value"))  # type: ignore[attr-defined]  # a QuerySet, whose annotation has no type
    return rows


def signature_now() -> UpdateSignature | None:
    """Return what signs our updates; None where they go unsigned. Raise `KeyRingError`."""
    row = UpdateKey.objects.first()
    if row is None:
        return None
    return UpdateSignature(row.name, row.algorithm, ring().decrypt(row.secret))


def set_update_key(name: str, algorithm: str, secret: bytes) -> UpdateKey:
    """Sign updates with this key from now on; raise `KeyRingError`."""
    values = {"name": name, "algorithm": algorithm, "secret": ring().encrypt(secret)}
    row, _is_new = UpdateKey.objects.update_or_create(pk=1, defaults={**values, "set_at": Now()})
    return row


def _tell(row: DelegatedSelector, signature: UpdateSignature | None) -> None:
    value: str = row.value  # type: ignore[attr-defined]  # annotated by `wanted`
    [server] = nameservers([settings.EKIDEN_KEY_ZONE_SERVER]) or []
    updates.put_text(
        server, settings.EKIDEN_KEY_ZONE, row.target, strings(value), ttl=TTL, signature=signature
    )


def strings(value: str) -> list[str]:
    """Cut a value into strings as a TXT record has them."""
    return [value[at : at + STRING] for at in range(0, len(value), STRING)]


@transaction.atomic
def _note_taken(row: DelegatedSelector, *, now: datetime) -> None:
    value: str = row.value  # type: ignore[attr-defined]  # as above
    own = DelegatedSelector.objects.filter(pk=row.pk)
    own.update(kept_value=value, kept_at=now, trouble="")
    if not value:  # it may have been delegated again while the server was told
        own.filter(is_ending=True).delete()


def _note_trouble(rows: Iterable[DelegatedSelector], text: str) -> int:
    said = texts.one_line(text, 300)
    for row in rows:
        logger.warning("event=key-zone-not-kept name=%s text=%r", row.target, said)
        DelegatedSelector.objects.filter(pk=row.pk).update(trouble=said)
    return 0
