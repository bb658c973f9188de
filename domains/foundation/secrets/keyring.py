"""The key ring: a file of keys that encrypts what must not be read from the database or its
backups alone.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domains.foundation.secrets.fingerprints import fingerprint

NONCE = 12  # bytes


class KeyRingError(ValueError):
    """The key ring cannot be used; the text tells the operator why, and never holds a key."""


class KeyRing:
    """Keys of one file, one to a line, newest first: the first encrypts, all decrypt."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reload()

    def __repr__(self) -> str:
        return f"<KeyRing {self.path}, {len(self)} keys>"

    def __len__(self) -> int:
        return len(self._lines)

    def fingerprints(self) -> list[str]:
        """Return what tells each key from others, newest first."""
        return [fingerprint(line) for line in self._lines]

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, create: bool = True) -> KeyRing:
        """Open the ring in this file, which is made with one new key where there is none.

        Raise `KeyRingError`.

        `create=False` is for one who already has something to decrypt: for him a missing file is a
        lost one.
        """
        place = Path(path)
        if create and not place.exists():
            _create(place)
        return cls(place)

    def encrypt(self, data: bytes) -> bytes:
        return self._fernet.encrypt(data)

    def decrypt(self, token: bytes | memoryview) -> bytes:
        """Decrypt what was encrypted by any key of the ring; raise `KeyRingError`."""
        try:
            return self._fernet.decrypt(bytes(token))
        except InvalidToken:
            self._reload()  # another process may have added a key since
        try:
            return self._fernet.decrypt(bytes(token))
        except InvalidToken as error:
            raise KeyRingError(
                f"No key in {self.path} decrypts this: it was encrypted under another key ring"
            ) from error

    def is_newest(self, token: bytes | memoryview) -> bool:
        """Tell whether `encrypt` made it with the newest key of the ring."""
        try:
            Fernet(self._lines[0]).decrypt(bytes(token))
        except InvalidToken:
            return False
        return True

    def reencrypt(self, token: bytes | memoryview) -> bytes:
        """Encrypt the same under the newest key; when all is, `forget_old` may follow.

        Raise `KeyRingError`.
        """
        return self.encrypt(self.decrypt(token))

    def seal(self, data: bytes, *, purpose: bytes) -> bytes:
        """Encrypt what must stay short: 28 bytes more than the data, where `encrypt` adds 57 and
        rounds up.
        """
        nonce = os.urandom(NONCE)
        return nonce + self._ciphers[0].encrypt(nonce, data, purpose)

    def unseal(self, sealed: bytes, *, purpose: bytes) -> bytes:
        """Return what any key of the ring sealed for this purpose; raises `KeyRingError`."""
        opened = self._unsealed(sealed, purpose)
        if opened is None:
            self._reload()  # as in `decrypt`
            opened = self._unsealed(sealed, purpose)
        if opened is None:
            raise KeyRingError(
                f"No key in {self.path} decrypts this: it was encrypted under another key ring"
            )
        return opened

    def is_newest_seal(self, sealed: bytes, *, purpose: bytes) -> bool:
        """Tell whether `seal` made it with the newest key of the ring."""
        return self._opened(self._ciphers[0], sealed, purpose) is not None

    def _unsealed(self, sealed: bytes, purpose: bytes) -> bytes | None:
        tries = (self._opened(cipher, sealed, purpose) for cipher in self._ciphers)
        return next((opened for opened in tries if opened is not None), None)

    @staticmethod
    def _opened(cipher: AESGCM, sealed: bytes, purpose: bytes) -> bytes | None:
        with suppress(InvalidTag, ValueError):
            return cipher.decrypt(sealed[:NONCE], sealed[NONCE:], purpose)
        return None

    def rotate(self) -> None:
        """Put a new key first; the older ones still decrypt.

        Other processes learn of it when they meet its work.
        """
        with _locked(self.path):
            _replace(self.path, b"\n".join([Fernet.generate_key(), *_lines(self.path)]))
        self._reload()

    def forget_old(self) -> None:
        """Keep only the newest key: what older ones encrypted is lost."""
        with _locked(self.path):
            _replace(self.path, _lines(self.path)[0])
        self._reload()

    def _reload(self) -> None:
        self._lines = _lines(self.path)
        self._fernet = _fernet(self.path, self._lines)
        self._ciphers = _ciphers(self._lines)


def _ciphers(lines: list[bytes]) -> list[AESGCM]:
    """Return keys for `seal`, derived from those of the ring, since one key serves one
    algorithm.
    """
    return [
        AESGCM(HKDF(hashes.SHA256(), 32, None, b"ekiden: sealed").derive(urlsafe_b64decode(line)))
        for line in lines
    ]


def _fernet(path: Path, lines: list[bytes]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(line) for line in lines])
    except ValueError:  # chained, its text could show a part of a key
        raise KeyRingError(f"The key ring {path} is damaged; restore it from your backup") from None


def _lines(path: Path) -> list[bytes]:
    try:
        lines = path.read_bytes().split()
    except FileNotFoundError as error:
        raise KeyRingError(
            f"The key ring {path} is missing; restore it from your backup"
        ) from error
    except OSError as error:
        raise KeyRingError(f"The key ring {path} cannot be read: {error.strerror}") from error
    if not lines:
        raise KeyRingError(f"The key ring {path} is empty; restore it from your backup")
    return lines


def _create(path: Path) -> None:
    """Make the file whole or not at all; where two processes start together, one of them
    makes it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _written(path, Fernet.generate_key()) as new, suppress(FileExistsError):
            os.link(new, path)  # unlike a rename, it never takes the place of the other's file
    except OSError as error:
        raise KeyRingError(f"The key ring {path} cannot be made: {error.strerror}") from error


def _replace(path: Path, content: bytes) -> None:
    try:
        with _written(path, content) as new:
            new.rename(path)
    except OSError as error:
        raise KeyRingError(f"The key ring {path} cannot be written: {error.strerror}") from error


@contextmanager
def _written(path: Path, content: bytes) -> Iterator[Path]:
    """Keep a temporary file beside `path`, readable by us alone, while the block runs.

    It is on disk before the block gives it its name; that too is on disk afterwards.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content + b"\n")
            file.flush()
            os.fsync(file.fileno())
        yield new
    finally:
        new.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lock the ring's folder, since the file itself is replaced.

    Of two rotations that read the same ring, the second would drop the first one's key.
    """
    try:
        descriptor = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise KeyRingError(f"The key ring {path} cannot be changed: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
