"""The secrets of smarthosts at rest: one sealed value for each, opened by the key ring alone."""

from __future__ import annotations

import json

from domains.foundation.secrets.keyring import KeyRing

PURPOSE = b"smarthost"
PASSWORD, CLIENT_SECRET, REFRESH_TOKEN = NAMES = ("password", "client_secret", "refresh_token")


def sealed(secrets: dict[str, str], ring: KeyRing) -> bytes:
    """Return the secrets as they are stored; nothing for none."""
    kept = {name: value for name, value in secrets.items() if value}
    return ring.seal(json.dumps(kept).encode(), purpose=PURPOSE) if kept else b""


def opened(stored: bytes | memoryview, ring: KeyRing) -> dict[str, str]:
    """Return the secrets by their names; raise `KeyRingError`."""
    if not stored:
        return {}
    found = json.loads(ring.unseal(bytes(stored), purpose=PURPOSE))
    return {str(name): str(value) for name, value in found.items()}


def is_newest(stored: bytes | memoryview, ring: KeyRing) -> bool:
    return ring.is_newest_seal(bytes(stored), purpose=PURPOSE)


def renewed(stored: bytes | memoryview, ring: KeyRing) -> bytes:
    """Return the same under the newest key; raise `KeyRingError`."""
    return ring.seal(ring.unseal(bytes(stored), purpose=PURPOSE), purpose=PURPOSE)


def sealed_token(token: str, ring: KeyRing) -> bytes:
    """Return an access token as it is stored."""
    return ring.seal(token.encode(), purpose=PURPOSE)


def opened_token(stored: bytes | memoryview, ring: KeyRing) -> str:
    """Return the access token; raise `KeyRingError`."""
    return ring.unseal(bytes(stored), purpose=PURPOSE).decode()
