"""Compare the keys of this machine, its secret key and its key ring, with those of the
installation in the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models.functions import Now

from domains.foundation.secrets.fingerprints import Fit, fingerprint, fit, joined
from domains.foundation.secrets.keyring import KeyRing, KeyRingError
from domains.models import FingerprintKind, KeyFingerprint, SigningKey

SECRET, RING = FingerprintKind.SECRET, FingerprintKind.RING


class KeyMismatch(KeyRingError):
    """A key of this machine is missing, or is not the installation's; the text tells the operator
    what to do.
    """


def check() -> None:
    """Return where both keys are the installation's.

    Raises `KeyMismatch`, in one line, and makes nothing.
    """
    if not noted(SECRET):
        raise KeyMismatch(
            "The database knows no keys yet. On the first machine of the installation: ./ekiden "
            "setup"
        )
    check_secret()
    check_ring()


def check_secret() -> None:
    """Compare the secret key; a database that knows none yet agrees to any.

    Raises `KeyMismatch`.
    """
    own, known = secret_key(), noted(SECRET)
    if not known:
        return
    if own is None:
        raise KeyMismatch(
            f"There is no secret key in {secret_place()}, and the database is of an installation "
            f"that has one: {HOW}. Lost, or to be changed: ./ekiden setup --new-secret-key"
        )
    if fingerprint(own) != known[0]:
        raise KeyMismatch(
            f"The secret key in {secret_place()} is not that of the installation in the database: "
            f"{HOW}. To be changed: ./ekiden setup --new-secret-key"
        )


def check_ring() -> KeyRing | None:
    """Compare the key ring, and note keys that `rotate` has added; None where there is no ring and
    nobody has one.

    Raises `KeyMismatch`, and `KeyRingError` where the file cannot be read.
    """
    known, place = noted(RING), ring_place()
    keys = SigningKey.objects.to_publish()
    if not place.exists():
        if known or keys.exists():
            raise KeyMismatch(
                f"The key ring {place} is missing, and the installation in the database has one: "
                f"{HOW}. Lost for good: ./ekiden setup --new-key-ring"
            )
        return None
    ring = KeyRing.open(place, create=False)
    own = ring.fingerprints()
    match fit(own, known, opens=_opens(ring)):
        case Fit.BEHIND:
            raise KeyMismatch(
                f"The key ring {place} lacks the newest key of the installation: {HOW}"
            )
        case Fit.FOREIGN:
            raise KeyMismatch(
                f"The key ring {place} is not that of the installation in the database: {HOW}. "
                "Lost for good: ./ekiden setup --new-key-ring"
            )
        case Fit.NEWER:
            note(RING, joined(own, known))
    return ring


def note_ring(ring: KeyRing) -> None:
    note(RING, joined(ring.fingerprints(), noted(RING)))


def _opens(ring: KeyRing) -> bool | None:
    """Tell whether the ring decrypts any signing key in use; None where there is none.

    One is enough: a single damaged row is the doctor's to tell, and no reason to stop all mail.
    """
    found = None
    for token in SigningKey.objects.to_publish().values_list("private_key", flat=True).iterator():
        try:
            ring.decrypt(token)
        except KeyRingError:
            found = False
        else:
            return True
    return found


def secret_key() -> bytes | None:
    try:
        return settings.SECRET_KEY.encode()
    except ImproperlyConfigured:  # Django's answer to an empty one
        return None


def secret_place() -> str:
    return "EKIDEN_SECRET_KEY" if settings.HAS_SECRET_KEY_FROM_ENVIRONMENT else str(secret_path())


def secret_path() -> Path:
    return Path(settings.EKIDEN_DATA / "keys" / "secret-key")


def ring_place() -> Path:
    return Path(settings.EKIDEN_DATA / "keys" / "ring")


def noted(kind: FingerprintKind) -> list[str]:
    """Return the fingerprints in the database, newest first."""
    return next(
        iter(KeyFingerprint.objects.filter(kind=kind).values_list("fingerprints", flat=True)), []
    )


def note(kind: FingerprintKind, fingerprints: Sequence[str]) -> None:
    KeyFingerprint.objects.update_or_create(
        kind=kind, defaults={"fingerprints": list(fingerprints), "noted_at": Now()}
    )


HOW = "copy the folder keys from its first machine, or from your backup, into EKIDEN_DATA"
