"""The account that the embedded servers run under when root starts them: PostgreSQL refuses root,
and nobody else shares this one.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

NAME = "ekiden"
FORMER = "nobody"  # earlier versions used it; other daemons do, too
SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 30.0  # seconds for a server of before to end
TRIES = 5


class AccountError(RuntimeError):
    """The servers cannot have their account; the text says what to do."""


def account() -> str | None:
    """Return the account that the servers run under; None for our own."""
    return NAME if os.getuid() == 0 else None


def make() -> bool:
    """Make the account where it is needed and missing; whether it was. Raises `AccountError`."""
    if os.getuid() != 0 or _entry() is not None:
        return False
    program = shutil.which("useradd", path=SYSTEM)
    if program is None:
        raise AccountError(_advice("there is no useradd"))
    group = ["--gid", NAME] if _has_group() else ["--user-group"]
    command = [
        program,
        "--system",
        *group,
        "--no-create-home",
        "--home-dir",
        "/var/lib/ekiden",
        "--shell",
        "/usr/sbin/nologin",
        NAME,
    ]
    said = ""
    for _ in range(TRIES):
        # S603 : our own command line
        said = subprocess.run(command, check=False, capture_output=True, text=True).stderr  # noqa: S603
        if _entry() is not None:
            return True
        time.sleep(0.2)  # somebody else has the lock of /etc/passwd
    raise AccountError(_advice(said.strip().partition("\n")[0] or "useradd failed"))


def identity() -> tuple[int, int]:
    """Return the servers' user and group numbers; our own where they run as we do.

    Raises `AccountError`.
    """
    if os.getuid() != 0:
        return os.getuid(), os.getgid()
    entry = _entry()
    if entry is None:
        raise AccountError(_advice("there is none"))
    return entry.pw_uid, entry.pw_gid


def for_subprocess() -> Any:
    """Return the arguments that start a program under the account, for `subprocess`, whose
    overloads take no dictionary.
    """
    if os.getuid() != 0:
        return {}
    user, group = identity()
    return {"user": user, "group": group, "extra_groups": []}


def take_over(folder: Path) -> None:
    """Give the account what the servers of an earlier version have left under `FORMER`, once they
    have ended. Raises `AccountError`.

    The folder itself comes last: cut off, the work is begun again.
    """
    user, group = identity()
    if (
        os.getuid() != 0
        or not folder.is_dir()
        or folder.lstat().st_uid != _former()
        or _former() == user
    ):
        return
    _wait_until_unused(folder)
    for place, folders, files in os.walk(folder, topdown=False):
        for name in (*folders, *files):
            os.chown(os.path.join(place, name), user, group, follow_symlinks=False)
    os.chown(folder, user, group, follow_symlinks=False)


def _wait_until_unused(folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while pid := _user_of(folder):
        if time.monotonic() > until:
            raise AccountError(
                f"Process {pid} still uses {folder}, which belongs to {FORMER}: stop it, and "
                "start again"
            )
        time.sleep(0.1)


def _user_of(folder: Path) -> str | None:
    """Return the process that has the folder on its command line, or None."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if os.fsencode(folder) in words and entry.parent.name != str(os.getpid()):
            return entry.parent.name
    return None


def _entry() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        return None


def _has_group() -> bool:
    try:
        return bool(grp.getgrnam(NAME))
    except KeyError:
        return False


def _former() -> int | None:
    try:
        return pwd.getpwnam(FORMER).pw_uid
    except KeyError:
        return None


def _advice(why: str) -> str:
    return (
        f"Started by root, PostgreSQL and Valkey need the system account {NAME}, and it cannot be "
        f"made ({why}). Make it (useradd --system --user-group {NAME}), or run ./ekiden up as an "
        "ordinary account."
    )
