"""New DKIM keys: made or imported, encrypted by the key ring, and kept with their domain."""

from __future__ import annotations

import secrets

from django.utils import timezone

from domains.foundation.secrets.keyring import KeyRing
from domains.models import Domain, SigningKey
from domains.operations import own_keys
from domains.senders import dkim
from domains.senders.delegation import free_selector


def make_key(
    domain: Domain, algorithm: dkim.Algorithm = "rsa", *, bits: int = dkim.RSA_BITS
) -> SigningKey:
    """Make a new key, which signs once it was seen in DNS; raise `KeyRingError`, and
    `SelectorsBusy` where its delegated selectors are both in use.

    `bits` is the size of an RSA key. An Ed25519 key has a selector of its own.
    """
    selector = free_selector(domain) if algorithm == "rsa" else None
    return keep_key(domain, dkim.generate(algorithm, bits=bits), selector or new_selector())


def keep_key(domain: Domain, private_key: dkim.PrivateKey, selector: str) -> SigningKey:
    """Keep a key that is there, as `make_key` does a new one.

    Raise `KeyRingError`, and `ValidationError` for its selector.
    """
    key = SigningKey(
        domain=domain,
        selector=selector,
        algorithm=dkim.algorithm(private_key),
        private_key=ring().encrypt(dkim.private_bytes(private_key)),
        public_record=dkim.txt_value(private_key),
    )
    key.full_clean()
    key.save(force_insert=True)
    return key


def new_selector() -> str:
    """Make a new selector.

    The month shows how old a key is; the random end lets two of one month stand beside each other.
    """
    return f"ek{timezone.now():%Y%m}{secrets.token_hex(3)}"


def ring() -> KeyRing:
    """Return the installation's ring, made where it has none yet.

    Raise `KeyMismatch` where this machine's is another or is lost.
    """
    found = own_keys.check_ring()
    if found is None:
        found = KeyRing.open(own_keys.ring_place(), create=not SigningKey.objects.exists())
        own_keys.note_ring(found)
    return found
