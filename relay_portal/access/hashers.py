"""Password hashes that cannot fill the machine: each takes a core and 100 MB for a while, and
strangers may ask for many.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from django.contrib.auth import hashers

# requests of one process that hash, or wait while another does; threads remain for everything else
AT_ONCE = 2


class PasswordsBusy(Exception):  # what it says is no error of ours
    """Enough passwords are looked at already; who asks may come again."""


class Argon2(hashers.Argon2PasswordHasher):
    """Django's, one at a time in each process."""

    def encode(self, password: str, salt: str) -> str:
        with _turn():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with _turn():
            return super().verify(password, encoded)


_places, _turns = BoundedSemaphore(AT_ONCE), Lock()


@contextmanager
def _turn() -> Iterator[None]:
    if not _places.acquire(blocking=False):
        raise PasswordsBusy
    try:
        with _turns:
            yield
    finally:
        _places.release()
