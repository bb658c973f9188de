"""New DKIM keys: made, encrypted by the key ring, and kept with their domain."""

from __future__ import annotations

import secrets

from django.utils import timezone

from domains.foundation.secrets.keyring import KeyRing
from domains.models import Domain, SigningKey
from domains.operations import own_keys
from domains.senders import dkim


def make_key(domain: Domain, algorithm: dkim.Algorithm = "rsa") -> SigningKey:
    """A new key that signs from now on; raises `KeyRingError`."""
    private_key = dkim.generate(algorithm)
    return SigningKey.objects.create(
        domain=domain,
        selector=new_selector(),
        algorithm=algorithm,
        private_key=ring().encrypt(dkim.private_bytes(private_key)),
        public_record=dkim.txt_value(private_key),
    )


def new_selector() -> str:
    """The month shows how old a key is; the random end lets two of one month stand beside each
    other.
    """
    return f"ek{timezone.now():%Y%m}{secrets.token_hex(3)}"


def ring() -> KeyRing:
    """The installation's ring, made where it has none yet.

    Raises `KeyMismatch` where this machine's is another or is lost.
    """
    found = own_keys.check_ring()
    if found is None:
        found = KeyRing.open(own_keys.ring_place(), create=not SigningKey.objects.exists())
        own_keys.note_ring(found)
    return found
