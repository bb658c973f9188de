"""The ways in which newcomers start Ekiden: a fresh clone each, `up`, a first message, the end.

As root, or it is skipped out loud.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.journeys.rig import ROOT, wait_until
from tests.ports import free_port

pytestmark = pytest.mark.skipif(
    os.getuid() != 0, reason="only root makes homes, accounts and mounts"
)
PORTS = ("SUBMISSION", "SUBMISSIONS", "MX", "PORTAL", "SANDBOX")
SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Start:
    """One clone, and what a person types in it."""

    def __init__(self, place, *, user=None, umask=0o022, before=(), **env):
        self.place, self.user, self.umask, self.before = place, user, umask, before
        self.env = (
            {"PATH": SYSTEM} | {f"EKIDEN_{name}_PORT": str(free_port()) for name in PORTS} | env
        )
        self.log = Path(tempfile.mkdtemp(prefix="ekiden-log-")) / "log"
        self.process = None

    def clone(self, venv=None):
        """Clone as root or as the user does; with a copy of an environment, so that it takes
        seconds.
        """
        self.place.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["git", "clone", "-q", str(ROOT), str(self.place)], check=True, umask=self.umask
        )
        if venv:
            subprocess.run(
                ["cp", "-a", "--reflink=auto", str(venv), str(self.place / ".venv")], check=True
            )
        if self.user:
            subprocess.run(["chown", "-R", self.user, str(self.place)], check=True)
        if self.umask == 0o077:
            subprocess.run(["chmod", "-R", "go=", str(self.place)], check=True)
        return self

    def run(self, *words):
        return subprocess.run(
            [*self.before, str(self.place / "ekiden"), *words],
            **self._how(),
            capture_output=True,
            text=True,
        )

    def _how(self):
        who = (
            {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []}
            if self.user
            else {}
        )
        return {"env": self.env, "cwd": "/", "umask": self.umask, **who}

    def begin(self):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                [*self.before, str(self.place / "ekiden"), "up"],
                stdout=out,
                stderr=out,
                **self._how(),
            )
        wait_until(
            lambda: "\nReady." in self.said() or self.process.poll() is not None,
            f"it says Ready: {self.said()}",
            150,
        )
        assert self.process.poll() is None, self.said()

    def said(self):
        return self.log.read_text()

    def walk(self):
        """Walk all of a newcomer's way; `up` says which command to type."""
        self.begin()
        try:
            [line] = re.findall(r"^  (.*\./ekiden send .*)$", self.said(), re.MULTILINE)
            kept = {
                name: value for name, value in self.env.items() if not name.startswith("EKIDEN_")
            }
            typed = subprocess.run(
                ["sh", "-c", line],
                **(self._how() | {"cwd": self.place, "env": kept}),
                capture_output=True,
                text=True,
            )
            assert typed.returncode == 0 and "Delivered" in typed.stdout, (
                typed.stdout + typed.stderr
            )
        finally:
            self.process.send_signal(signal.SIGTERM)
            ended = self.process.wait(300)
        assert ended == 0, self.said()

    def clear(self):
        data = Path(self.env.get("EKIDEN_DATA", self.place / ".ekiden"))
        with suppress(OSError, ValueError):
            shutil.rmtree((data / "sockets").read_text().splitlines()[1], ignore_errors=True)
        for folder in (data, self.place, self.log.parent):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def ground():
    """Yield a folder that everybody may enter; not under /tmp, which one of the ways makes
    another.
    """
    folder = Path(tempfile.mkdtemp(prefix="ekiden-starts-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def venv(ground):
    """Make it for real, as root's first command does, in an empty environment."""
    made = Start(ground / "first").clone()
    made.env = {
        "PATH": SYSTEM,
        **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
    }
    done = made.run("--version")
    assert done.returncode == 0, done.stderr
    assert "Making .venv" in done.stderr
    return made.place / ".venv"


@contextmanager
def start(place, venv, **options):
    begun = Start(place, **options)
    try:
        yield begun.clone(venv)
    finally:
        begun.clear()


def test_as_root_in_an_empty_environment(ground, venv):
    with start(ground / "open", venv) as newcomer:
        newcomer.walk()


def test_as_root_in_a_closed_home_whose_path_has_a_blank_and_letters_of_others(ground, venv):
    (ground / "root's höme").mkdir(mode=0o700)
    with start(
        ground / "root's höme" / "駅伝 one", venv, HOME=str(ground / "root's höme"), LANG="C"
    ) as newcomer:
        newcomer.walk()


def test_as_an_ordinary_account_with_umask_077_without_a_home(ground, venv):
    with start(ground / "own", venv, user="daemon", umask=0o077, LC_ALL="C") as newcomer:
        newcomer.walk()


def test_with_what_the_account_has_set_for_its_other_programs(ground, venv):
    """A developer's shell names another Django, Python, gunicorn and PostgreSQL; ssh brings along a
    locale that is not installed here; an old `su` allows few files.
    """
    others = {
        "CDPATH": "/:/usr",
        "DJANGO_SETTINGS_MODULE": "mysite.settings",
        "GUNICORN_CMD_ARGS": "--worker-class sync",
        "LC_ALL": "xx_YY.ISO-8859-1",
        "ODD": "100%(x)s%\udcff",
        "PGHOST": "/nowhere",
        "PGOPTIONS": "-c statement_timeout=1",
        "PGPORT": "1",
        "PGSERVICE": "mysite",
        "PYTHONHOME": "/nowhere",
        "PYTHONINSPECT": "1",
        "PYTHONIOENCODING": "ascii",
        "PYTHONSAFEPATH": "1",
        "PYTHONWARNINGS": "error",
        "TZ": "Nowhere/Else",
        "WEB_CONCURRENCY": "many",
    }
    before = ["prlimit", "--nofile=256:1024"]
    with start(ground / "crowded", venv, user="daemon", before=before, **others) as newcomer:
        newcomer.walk()


def test_where_the_path_is_too_long_for_a_socket_and_tmpdir_is_none(ground, venv):
    with start(ground / ("long-" * 30), venv, user="daemon", TMPDIR="/nowhere/at/all") as newcomer:
        newcomer.walk()


def test_from_a_clone_that_cannot_be_written_with_a_tmp_that_runs_nothing(ground, venv):
    script = (
        'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && mount -t tmpfs -o noexec '
        'tmpfs /tmp && exec "$@"'
    )
    place = ground / "readonly"
    data = ground / "data"
    before = ["unshare", "--mount", "sh", "-c", script, str(place)]
    with start(place, venv, before=before, EKIDEN_DATA=str(data)) as newcomer:
        refused = Start(place, before=before).run("up")
        assert (
            refused.returncode == 2
            and "Read-only file system" in refused.stderr
            and "EKIDEN_DATA" in refused.stderr
        )
        newcomer.walk()


def test_beside_what_has_the_ports_it_names_them_all_and_starts_on_others(ground, venv):
    with start(ground / "beside", venv) as newcomer, ExitStack() as taken:
        for name in PORTS:
            taken.enter_context(
                socket.create_server(("127.0.0.1", int(newcomer.env[f"EKIDEN_{name}_PORT"])))
            )
        answer = newcomer.run("up")
        assert (
            answer.returncode == 2
            and answer.stderr.count("\n") == 1
            and "1024" not in answer.stderr
        )
        for name in PORTS:
            assert (
                f"127.0.0.1:{newcomer.env[f'EKIDEN_{name}_PORT']} (EKIDEN_{name}_PORT)"
                in answer.stderr
            )
        newcomer.env |= {f"EKIDEN_{name}_PORT": str(free_port()) for name in PORTS}
        newcomer.walk()


def test_a_venv_that_this_account_cannot_run_is_named(ground):
    with start(ground / "foreign", None, user="daemon") as newcomer:
        hidden = ground / "hidden"
        hidden.mkdir(mode=0o700)
        shutil.copy("/bin/true", hidden / "python3")
        (newcomer.place / ".venv/bin").mkdir(parents=True)
        (newcomer.place / ".venv/bin/python").symlink_to(hidden / "python3")
        newcomer.place.chmod(0o755)
        shutil.chown(newcomer.place, "root")
        answer = newcomer.run("status")
        assert (
            answer.returncode == 2
            and ".venv/bin/python -> " in answer.stderr
            and "this account cannot run it" in answer.stderr
        )
        assert "may not be written" not in answer.stderr


def test_another_account_that_knows_the_names_cannot_keep_it_from_starting(ground, venv):
    """Whatever can be foretold of the folders in /tmp is taken before the first start."""
    with start(ground / "squatted", venv, user="daemon") as newcomer:
        program = (
            "import hashlib, os, sys; "
            "print(hashlib.sha256(os.fsencode(os.path.realpath(sys.argv[1]))).hexdigest()[:12])"
        )
        data = str(newcomer.place / ".ekiden")
        name = subprocess.run(
            [str(venv / "bin/python"), "-c", program, data],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        squatted = [
            Path(f"/tmp/ekiden-{pwd.getpwnam('daemon').pw_uid}-{name}"),
            Path(f"/tmp/ekiden-{name}"),
        ]
        for folder in squatted:
            folder.mkdir(mode=0o700)
            shutil.chown(folder, "nobody")
        try:
            newcomer.walk()
        finally:
            for folder in squatted:
                folder.rmdir()
