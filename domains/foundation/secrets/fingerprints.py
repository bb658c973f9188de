"""Tell one key from another without the key: what stands in the database, and how a key ring fits
to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from hashlib import blake2b

LABEL = b"ekiden key 1"  # of this use alone: no other digest of a key is one of these


class Fit(Enum):
    """How the ring of a machine fits to the installation's."""

    SAME = "same"
    NEWER = "newer"  # it has keys that the database does not know yet
    BEHIND = "behind"  # it lacks the newest key
    FOREIGN = "foreign"


def fingerprint(key: bytes) -> str:
    """Hash a key to 32 hexadecimal digits, from which it cannot be found."""
    return blake2b(key, digest_size=16, person=LABEL).hexdigest()


def fit(own: Sequence[str], noted: Sequence[str], *, opens: bool | None) -> Fit:
    """Compare a ring's fingerprints with those that were noted, both newest first.

    `opens` says whether the ring decrypts a signing key that is in use; None where there is none. A
    ring without any noted key is the installation's only if it proves so: `rotate` and then
    `forget_old` leave such a ring, and another installation has one, too.
    """
    if opens is False:
        return Fit.BEHIND if set(own) & set(noted) else Fit.FOREIGN
    if not noted or noted[0] in own:
        return Fit.SAME if set(own) <= set(noted) else Fit.NEWER
    if own[0] in noted:
        return Fit.BEHIND
    return Fit.NEWER if opens else Fit.FOREIGN


def joined(own: Sequence[str], noted: Sequence[str]) -> list[str]:
    """Return what to note of a ring that fits: its keys, then those that it has forgotten."""
    return [*own, *(each for each in noted if each not in own)]
