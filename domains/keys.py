"""New DKIM keys: made, encrypted by the key ring, and kept with their domain."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.utils import timezone

from domains import dkim
from domains.keyring import KeyRing
from domains.models import Domain, SigningKey


def make_key(domain: Domain, algorithm: dkim.Algorithm = "rsa") -> SigningKey:
    """A new key that signs from now on; raises `KeyRingError`."""
    private_key = dkim.generate(algorithm)
    return SigningKey.objects.create(
        domain=domain,
        selector=new_selector(),
        algorithm=algorithm,
        private_key=_ring().encrypt(dkim.private_bytes(private_key)),
        public_record=dkim.txt_value(private_key),
    )


def new_selector() -> str:
    """The month shows how old a key is; the random end lets two of one month stand beside each other."""
    return f"ek{timezone.now():%Y%m}{secrets.token_hex(3)}"


def _ring() -> KeyRing:
    # Where keys exist already, a ring that is not there is a lost one: a new one would hide the loss until mail goes unsigned.
    return KeyRing.open(settings.EKIDEN_DATA / "keys" / "ring", create=not SigningKey.objects.exists())
