"""Data folders that are made once for a whole run; a test's own installation begins as a copy.

What a first start does to an empty folder is claimed by tests that ask for none of these:
`tests/outside/test_starts.py`, `tests/outside/test_units.py` and some of `test_up_again.py`.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from relay_portal.servers.embedded import (
    EmbeddedPostgres,
    EmbeddedValkey,
    runtime_folder,
    state_folder,
)
from tests.journeys.processes import ROOT

__all__ = ["HOSTNAME", "SENDER", "begin_migrated", "begin_with_an_app", "commands_environment"]

HOSTNAME = "relay.test"
SENDER = "shop.test"
OF_A_PLACE = {"run", "sockets", "log"}  # a copy elsewhere makes its own
APP = "app.json"
Fill = Callable[[Path, Path], None]  # a folder, by the code of a tree


def begin_migrated(data: Path, root: Path = ROOT) -> None:
    """Fill this empty folder with a database that has seen all migrations."""
    _begin(data, root, "migrated", _migrate)


def begin_with_an_app(data: Path, root: Path = ROOT) -> tuple[str, str]:
    """Fill it with an installation that one app may use; return the app's user name and secret."""
    _begin(data, root, "with-an-app", _let_an_app_in)
    shown = json.loads((data / APP).read_text(encoding="utf-8"))
    return shown["username"], shown["password"]


def commands_environment(data: Path) -> dict[str, str]:
    """Return what commands need to know of an installation whose servers somebody else runs."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("EKIDEN_SECRET_KEY", "EKIDEN_MAY_LOSE_MAIL")
    }
    return kept | {
        "EKIDEN_DATA": str(data),
        "DATABASE_URL": EmbeddedPostgres(data).url,
        "REDIS_URL": EmbeddedValkey(data).url,
        "DJANGO_SETTINGS_MODULE": "relay_portal.settings",
        "EKIDEN_HOSTNAME": HOSTNAME,
    }


def _migrate(data: Path, root: Path) -> None:
    with _servers(data, root) as manage:
        manage("migrate", "--verbosity=0")


def _let_an_app_in(data: Path, root: Path) -> None:
    begin_migrated(data, root)
    with _servers(data, root) as manage:
        manage("project", "create", "shop")
        manage("setup")
        manage("domain", "add", SENDER, "--project", "shop", "--assume-verified")
        shown = manage("credential", "create", "--project", "shop", "--name", "app", "--json")
    (data / APP).write_text(shown, encoding="utf-8")


@contextmanager
def _servers(data: Path, root: Path) -> Iterator[Callable[..., str]]:
    """Run PostgreSQL and Valkey on the folder, for commands of that tree."""
    postgres, env = EmbeddedPostgres(data), commands_environment(data)

    def manage(*words: str) -> str:
        ran = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=root,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, f"manage.py {' '.join(words)}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    with ExitStack() as stack:
        stack.callback(shutil.rmtree, runtime_folder(data), ignore_errors=True)
        for server in (postgres, EmbeddedValkey(data)):
            server.prepare()
            server.start(120)
            stack.callback(server.stop)
        postgres.make_database()
        yield manage


def _begin(data: Path, root: Path, name: str, fill: Fill) -> None:
    """Fill the folder, by a copy where the code is ours and all is in one place."""
    if root != ROOT or state_folder(data) != data:
        fill(data, root)
    else:
        _copy(_made(name, fill), data)


def _made(name: str, fill: Fill) -> Path:
    """Return the folder of that name, filled by whichever worker of the run comes first."""
    place = Path(os.environ["EKIDEN_DATA"]) / "templates"
    place.mkdir(exist_ok=True)
    place.chmod(0o755)
    with open(place / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        whole = place / name
        if not whole.exists():
            draft = place / f"{name}.draft"
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            draft.chmod(0o755)
            fill(draft, ROOT)
            draft.rename(whole)
    return whole


def _copy(made: Path, data: Path) -> None:
    """Copy it with owners and modes: PostgreSQL's files are another account's where root runs."""
    parts = [str(part) for part in made.iterdir() if part.name not in OF_A_PLACE]
    subprocess.run(["cp", "-a", "--reflink=auto", *parts, str(data)], check=True)
