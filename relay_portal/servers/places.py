"""Where one installation keeps what is not mail: the folder of its sockets, and the embedded
servers' state.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from domains.foundation.text import texts

SOCKET_BYTES = 107  # of a socket's path: sun_path of unix(7) without its final NUL
LONGEST_NAME = "postgres/.s.PGSQL.5432"
# They end a path, or change it, in PostgreSQL's lists or in Supervisor's configuration.
SEPARATORS = frozenset(",\"'\\%;")
RUN = Path("/run")
# S108 : the names used there cannot be foretold, and `make_folder` refuses what is not ours
TEMPORARY = Path("/tmp")  # noqa: S108
STATE_OF_ROOT = Path("/var/lib")
RECORD = "sockets"  # the file under the data folder that names the folder of the sockets

_drafts: dict[Path, Path] = {}


def runtime_folder(data: Path) -> Path:
    """Return the folder of the sockets of this data: the one in use, else the one that the next
    start would make. Makes nothing.
    """
    return _recorded(data) or _of_an_older_version(data) or next(_proposals(data))


def settle(data: Path) -> Path:
    """Make the folder of the sockets, and record it beside the data for all later commands.

    Raises OSError.
    """
    found = _recorded(data)
    if found is None:
        found = _made(data)
        draft = data / f"{RECORD}.{os.getpid()}"
        with open(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            "w",
            encoding="utf-8",
            errors="surrogateescape",
        ) as file:
            file.write(f"{_name_of(data)}\n{found}\n")
        draft.rename(data / RECORD)
    return found


def is_older_version_up(data: Path) -> bool:
    """Tell if an `up` of a version before this one serves the data; its sockets have a place of
    their own.
    """
    return _of_an_older_version(data) is not None


def forget_older_version(data: Path) -> None:
    """Remove the sockets' folder that a version before this one has left."""
    folder = _older_folder(data)
    if _is_folder_of(folder, os.getuid()) and not is_older_version_up(data):
        shutil.rmtree(folder, ignore_errors=True)


def state_folder(data: Path) -> Path:
    """Return the servers' folder: `data`, unless their account cannot reach it (a 0700 home of
    root).
    """
    if os.getuid() != 0 or is_open_to_all(data.absolute().parent):
        return data
    return STATE_OF_ROOT / f"ekiden-{_name_of(data)}"


def make_folder(folder: Path, mode: int, *, owner: int | None = None, group: int = -1) -> None:
    """Make it with this mode and owner.

    Where others may write, somebody may have been there first: what is not ours is refused.
    """
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    wanted = os.getuid() if owner is None else owner
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (wanted, os.getuid()):
        raise OSError(f"{folder} belongs to somebody else")
    folder.chmod(mode)
    if status.st_uid != wanted:
        os.chown(folder, wanted, group)


def is_open_to_all(folder: Path) -> bool:
    """Tell whether any account can get there: each folder on the way has the x bit for others.

    One that is not there yet will have it.
    """
    return all(
        not each.exists() or each.stat().st_mode & stat.S_IXOTH
        for each in (folder, *folder.parents)
    )


def _recorded(data: Path) -> Path | None:
    """Return the folder in use, or None.

    A record of other data (a copy of the whole folder) counts as none, and so does a folder that is
    not ours.
    """
    try:
        name, folder = texts.lines(
            (data / RECORD).read_text(encoding="utf-8", errors="surrogateescape")
        )
    except (OSError, ValueError):
        return None
    return (
        Path(folder)
        if name == _name_of(data) and _is_folder_of(Path(folder), _owner_of(data))
        else None
    )


def _made(data: Path) -> Path:
    """Make the first proposal where a socket can be made, and return it.

    Some file systems have none, such as folders that a virtual machine shares. Raise `OSError`
    where no proposal serves.
    """
    trouble: OSError | None = None
    for folder in _proposals(data):
        try:
            # As root another account has its own folders in it.
            make_folder(folder, 0o711 if os.getuid() == 0 else 0o700)
            _try_socket(folder)
        except OSError as error:
            trouble = trouble or error
        else:
            return folder
    raise trouble or OSError(f"There is no place for the sockets of {data}")


def _try_socket(folder: Path) -> None:
    trial = folder / "trial"
    trial.unlink(missing_ok=True)
    with closing(socket.socket(socket.AF_UNIX)) as made:
        made.bind(str(trial))
    trial.unlink()


def _proposals(data: Path) -> Iterator[Path]:
    """Yield the proposals, the best first; none has a name that another account could take first.

    Beside the data comes before XDG_RUNTIME_DIR: that is removed when its owner logs out, though
    the service runs on.
    """
    owner, beside = _owner_of(data), data.absolute() / "run"
    if owner == 0:
        if _is_folder_of(RUN, 0) and not RUN.stat().st_mode & 0o022:
            yield RUN / f"ekiden-{_name_of(data)}"
        if is_open_to_all(data.absolute()) and _has_room(beside):
            yield beside
    else:
        if _has_room(beside):
            yield beside
        own = Path(
            os.environ.get("XDG_RUNTIME_DIR", "") if owner == os.getuid() else f"/run/user/{owner}"
        )
        if own.is_absolute() and _is_folder_of(own, owner) and not own.stat().st_mode & 0o077:
            inside = own / f"ekiden-{_name_of(data)}"
            if _has_room(inside):
                yield inside
    yield _drafts.setdefault(data, TEMPORARY / f"ekiden-{secrets.token_hex(8)}")


def _has_room(folder: Path) -> bool:
    return (
        len(os.fsencode(folder / LONGEST_NAME)) <= SOCKET_BYTES
        and not texts.has_control(str(folder))
        and not SEPARATORS & set(str(folder))
    )


def _of_an_older_version(data: Path) -> Path | None:
    """Return the older version's folder if that version is up, which shows in the lock that it
    holds.
    """
    folder = _older_folder(data)
    if not _is_folder_of(folder, _owner_of(data)):
        return None
    try:
        descriptor = os.open(folder / "up.lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return folder
    finally:
        os.close(descriptor)
    return None


def _older_folder(data: Path) -> Path:
    return TEMPORARY / f"ekiden-{_owner_of(data)}-{_name_of(data)}"


def _is_folder_of(folder: Path, owner: int) -> bool:
    with suppress(OSError):
        status = folder.lstat()
        return stat.S_ISDIR(status.st_mode) and status.st_uid == owner
    return False


def _owner_of(data: Path) -> int:
    """Return whose data these are, so that root finds the service of another account; ours, where
    there are none yet.
    """
    try:
        return data.stat().st_uid
    except OSError:
        return os.getuid()


def _name_of(data: Path) -> str:
    return hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:12]
