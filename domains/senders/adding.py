"""A new domain with its DKIM key, all or nothing: a domain without a key would send unsigned."""

from __future__ import annotations

import secrets

from django.db import IntegrityError, transaction
from django.utils import timezone

from domains.models import Domain, Project
from domains.senders import trust
from domains.senders.key_states import sign_on_word
from domains.senders.keys import make_key


class AlreadyVerified(Exception):
    """Another project has verified a domain of this name."""


def add_domain(
    project: Project, name: str, *, with_ed25519: bool = False, is_assumed: bool = False
) -> Domain:
    """Add a domain, named in A-labels. Raises `ValidationError`, `AlreadyVerified` and
    `KeyRingError`.
    """
    domain = Domain(project=project, name=name, token=secrets.token_hex(16))
    domain.full_clean()
    with transaction.atomic():
        domain.save(force_insert=True)
        make_key(domain)
        if with_ed25519:
            make_key(domain, "ed25519")
        if is_assumed:
            assume(domain)
    return domain


def assume(domain: Domain) -> None:
    """Let it send on an operator's word; raises `AlreadyVerified`."""
    try:
        with transaction.atomic():
            domain.verify(now=timezone.now(), assumed=True)
            trust.note_proof(domain, now=timezone.now())
            sign_on_word(domain)
    except IntegrityError as error:
        raise AlreadyVerified from error
