"""DKIM keys that others have made, from PEM."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from domains.senders.dkim import LEAST_RSA_BITS, PrivateKey


class BadKey(ValueError):
    """No key that may sign; the text tells why, and never holds a part of it."""


def read_pem(data: bytes) -> PrivateKey:
    """Return the private key of a PEM file: RSA from 1024 bits on (RFC 8301, section 3.2) or
    Ed25519 (RFC 8463). Raises `BadKey`.
    """
    try:
        key = load_pem_private_key(data, None)
    except TypeError:
        raise BadKey("The key is encrypted. Decrypt it first: openssl pkey -in FILE") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey("This is no private key in PEM") from None
    if not isinstance(key, PrivateKey):
        raise BadKey("The key is neither RSA nor Ed25519")
    if isinstance(key, RSAPrivateKey) and key.key_size < LEAST_RSA_BITS:
        raise BadKey(
            f"The key has {key.key_size} bits, and receivers believe none below {LEAST_RSA_BITS}"
        )
    return key
