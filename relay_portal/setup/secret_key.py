"""The installation's secret key: made once, kept in a file that only its owner reads."""

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def load(path: Path) -> str:
    """Return the key in `path`, or nothing where there is no such file.

    Raises `ImproperlyConfigured`.
    """
    try:
        return path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise _trouble(path, error) from error


def make(path: Path) -> str:
    """Return the key in `path`; a first caller makes it, and of two at once both get the same one.

    Raises `ImproperlyConfigured`.
    """
    with _draft(path) as draft, suppress(FileExistsError):
        os.link(draft, path)  # unlike rename, refuses to replace the key of a faster process
    return load(path)


def replace(path: Path) -> str:
    """Put a new key into `path`, and return it. Raises `ImproperlyConfigured`."""
    with _draft(path) as draft:
        draft.rename(path)
    return load(path)


class _draft:
    """A new key in a file beside `path`, on disk before it gets its name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f"{path.name}.{os.getpid()}")

    def __enter__(self) -> Path:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(
                os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                "w",
                encoding="ascii",
            ) as file:
                file.write(secrets.token_urlsafe(48))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _trouble(self._path, error) from error
        return self._draft

    def __exit__(self, *_: object) -> None:
        self._draft.unlink(missing_ok=True)


def _trouble(path: Path, error: OSError | UnicodeDecodeError) -> ImproperlyConfigured:
    why = error.strerror if isinstance(error, OSError) else "it holds no key"
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return ImproperlyConfigured(
            f"{path}: {why} (set EKIDEN_DATA to a folder that can be written)"
        )
    return ImproperlyConfigured(f"{path}: {why} (run as the account that owns EKIDEN_DATA)")
