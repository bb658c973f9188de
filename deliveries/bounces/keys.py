"""The keys that sign what comes back to us: derived from the installation's secret, each used for
one thing only.
"""

import hashlib

from django.conf import settings


def return_path_key() -> bytes:
    return _key(b"vrp key")


def feedback_key() -> bytes:
    return _key(b"feedback key")


def unsubscribe_key() -> bytes:
    return _key(b"unsubscribe key")


def _key(use: bytes) -> bytes:
    return hashlib.blake2b(settings.SECRET_KEY.encode(), digest_size=32, person=use).digest()
