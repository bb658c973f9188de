"""Erases a person from all that the installation keeps, and proves it by counts."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Q

from deliveries.models import Message, MessageTerms
from deliveries.queue.cancellation import cancel_recipient
from deliveries.search import indexing
from domains.operations import audit_chain, audit_erasure
from relay_portal.erasure import columns, files
from relay_portal.erasure.contents import STORES, sole_messages
from relay_portal.erasure.spellings import Spellings
from suppressions.models import Occurrence, Suppression

# RFC 6761, section 6.4: no host is ever called so.
DOMAIN = "erased.invalid"
Counts = dict[tuple[str, str], int]


@dataclass(slots=True)
class ErasureProof:
    """How many rows of each table and column held the person, and places in files, before and
    after.
    """

    instead: str
    before: Counts
    after: Counts = field(default_factory=dict)
    cancelled: int = 0
    audit_entries: int = 0
    audit_fault: str = ""

    @property
    def is_complete(self) -> bool:
        return not self.after and not self.audit_fault


def look(spellings: Spellings) -> ErasureProof:
    """Change nothing."""
    before = _count(spellings)
    return ErasureProof("", before, after=before)


def erase(spellings: Spellings, *, reason: str) -> ErasureProof:
    """Erase the address; another run finds what was busy, or was left by one that was killed."""
    instead = f"erased-{secrets.token_hex(5)}@{DOMAIN}"
    proof = ErasureProof(instead, _count(spellings))
    proof.cancelled = cancel_recipient(spellings.key, why="Erased")
    files.mask(files.OUTCOMES, spellings)  # so that nobody writes the address down again
    also = sole_messages(spellings)
    messages = _messages_that_name(spellings)
    for store in STORES:
        store.delete(store.find(spellings, also))
    with transaction.atomic():
        Suppression.objects.filter(address_key=spellings.key).delete()
        Occurrence.objects.filter(address_key=spellings.key).delete()
    columns.replace(spellings, instead, proof.before)
    indexing.renew(messages)
    facts: dict[str, Any] = {"rows": {f"{table}.{name}": n for (table, name), n in
        proof.before.items()}, "cancelled": proof.cancelled}  # fmt: skip
    proof.audit_entries = audit_erasure.erase(
        spellings.pattern,
        instead,
        row=Suppression(address_key=instead),
        reason=reason,
        facts=facts,
    )
    audit_chain.seal()
    files.mask(files.LOG, spellings)
    proof.after = _count(spellings)
    chain = audit_chain.verify(audit_chain.of_database(), before=audit_chain.kept_since())
    proof.audit_fault = chain.fault
    return proof


def _count(spellings: Spellings) -> Counts:
    found = columns.count(spellings)
    for store in STORES:
        if amount := len(store.find(spellings, set())):
            found[store.column] = amount
    return found | files.count(spellings)


def _messages_that_name(spellings: Spellings) -> list[Any]:
    """Find messages that hold the address or its parts in sender or subject, and so in their
    terms.
    """
    named = Q()
    for name in ("mail_from", "header_from", "subject"):
        for each in spellings.all:
            named |= Q(**{f"{name}__icontains": each})
    return list(
        Message.objects.filter(named, pk__in=MessageTerms.objects.values("pk")).values_list(
            "pk", flat=True
        )
    )
