"""Second factors at rest: seeds encrypted with the key ring, recovery codes hashed with the secret
key.
"""

from __future__ import annotations

import logging
import secrets
from base64 import b32encode, b64decode, b64encode
from typing import Any

from django.db.models.signals import pre_save
from django.utils.crypto import salted_hmac
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from domains.foundation.secrets.keyring import KeyRing, KeyRingError
from domains.senders.keys import ring

logger = logging.getLogger(__name__)

SEALED = "sealed:"  # no hexadecimal digit: what django-otp itself writes never begins so
PURPOSE = b"totp"
HASHED = 16  # characters, as many as the column holds: 80 bits; a code as it is has 8


def sealed_seed(seed: str, keys: KeyRing) -> str:
    """Return the seed (hexadecimal digits) as it is stored."""
    return SEALED + b64encode(keys.seal(bytes.fromhex(seed), purpose=PURPOSE)).decode()


def seed_of(stored: str, keys: KeyRing) -> bytes:
    return keys.unseal(b64decode(stored.removeprefix(SEALED)), purpose=PURPOSE)


def hashed_code(code: str) -> str:
    digest = salted_hmac("relay_portal.recovery_codes", code, algorithm="sha256").digest()
    return b32encode(digest).decode().lower()[:HASHED]


def is_newest(stored: str, keys: KeyRing) -> bool:
    """Tell whether the newest key of the ring sealed this seed."""
    sealed = b64decode(stored.removeprefix(SEALED))
    return keys.is_newest_seal(sealed, purpose=PURPOSE)


def protect() -> None:
    """Make django-otp keep nothing in clear; called once, when the apps are ready."""
    pre_save.connect(_seal, TOTPDevice, dispatch_uid="seal")
    pre_save.connect(_hash, StaticToken, dispatch_uid="hash")
    TOTPDevice.bin_key = property(_bin_key)
    StaticDevice.verify_token = _verify_token


def _seal(sender: Any, instance: Any, **kwargs: Any) -> None:
    if not instance.key.startswith(SEALED):
        instance.key = sealed_seed(instance.key, ring())


def _hash(sender: Any, instance: Any, **kwargs: Any) -> None:
    if instance._state.adding:
        instance.token = hashed_code(instance.token)


def _bin_key(device: Any) -> bytes:
    """Return the seed; one that no code fits where the ring that sealed it is lost, so that other
    factors and a reset still serve.
    """
    if not device.key.startswith(SEALED):
        return bytes.fromhex(device.key)
    try:
        return seed_of(device.key, ring())
    except KeyRingError as error:
        logger.error("event=second-factor-unreadable user=%s error=%s", device.user_id, error)
        return secrets.token_bytes(20)


_verify = StaticDevice.verify_token


def _verify_token(device: Any, token: Any) -> bool:
    return bool(_verify(device, hashed_code(str(token))))
