"""The embedded servers' programs: in their wheels, or in a copy where the servers' account cannot
read the wheels.
"""

from __future__ import annotations

import os
import shutil
import stat
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from relay_portal.servers.places import is_open_to_all


def find(package: str, copies: Path) -> Path:
    """Return the package's folder as the servers' account sees it; `copies` is where `copy` puts
    one.
    """
    wheel = _wheel(package)
    if os.getuid() != 0 or all(map(_is_readable_by_all, _parts(wheel))):
        return wheel
    return _copy_of(package, copies) / package


def copy(package: str, copies: Path) -> None:
    """Copy the package with its libraries where that is needed; a copy is whole or not there,
    however this ends.
    """
    whole = _copy_of(package, copies)
    if find(package, copies) == _wheel(package) or (whole / package).is_dir():
        return
    for old in copies.glob(f"{package}-*"):
        shutil.rmtree(old)
    draft = whole.with_name(f"{whole.name}.new")
    for part in _parts(_wheel(package)):
        shutil.copytree(
            part, draft / part.name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    _open_to_all(draft)
    os.sync()  # a name that outlives a crash shall not lead to empty files
    draft.rename(whole)


def _parts(wheel: Path) -> list[Path]:
    """Return the package and its sibling.

    auditwheel puts shared libraries there, and programs look for them beside the package.
    """
    return [part for part in (wheel, wheel.with_name(f"{wheel.name}.libs")) if part.is_dir()]


def _wheel(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None  # the wheels are locked in requirements.txt
    assert spec.origin is not None
    return Path(spec.origin).parent


def _copy_of(package: str, copies: Path) -> Path:
    return copies / f"{package}-{version(package)}"


@cache
def _is_readable_by_all(part: Path) -> bool:
    """Tell whether all may read it; after a umask of 077, or in a home of mode 0700, they may
    not.
    """
    wanted = {True: stat.S_IROTH | stat.S_IXOTH, False: stat.S_IROTH}
    return is_open_to_all(part) and all(
        os.lstat(path).st_mode & wanted[is_folder] == wanted[is_folder]
        for place, folders, files in os.walk(part)
        for is_folder, names in ((True, folders), (False, files))
        for path in (os.path.join(place, name) for name in names)
        if "__pycache__" not in path
    )


def _open_to_all(folder: Path) -> None:
    """Let everybody read the folder, and execute what its owner may."""
    for place, _, files in os.walk(folder):
        os.chmod(place, 0o755)  # noqa: S103  (programs of a public package)
        for path in (Path(place, name) for name in files):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
