"""The processes of one installation, as a table, and as a configuration for Supervisor."""

from __future__ import annotations

import math
import resource
import shlex
import signal
import sys
from collections.abc import Iterator
from configparser import RawConfigParser
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from django.conf import settings
from supervisor.xmlrpc import SupervisorTransport

from relay_portal.process.supervision import SETUP
from relay_portal.servers import embedded
from relay_portal.servers.embedded import EmbeddedPostgres, EmbeddedValkey

PARENT_GUARD = Path(__file__).with_name("parent_guard.py")
FILES = 4096  # that Supervisor may open, and what it starts; where fewer are allowed, those
FOREVER = 1_000_000  # tries: a process that cannot start now may start when its trouble is over


@dataclass(frozen=True, slots=True)
class Process:
    """One program.

    The lower `rank` starts first and stops last; services are started when the set-up is done.
    """

    name: str
    command: tuple[str, ...]
    rank: int
    count: int = 1
    account: str = "-"
    is_service: bool = True
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: int = 20


def table() -> list[Process]:
    return [
        *_servers(),
        Process(SETUP, _manage("setup", "--start"), 20, is_service=False),
        *_services(),
    ]


def embedded_servers() -> list[EmbeddedPostgres | EmbeddedValkey]:
    """List the embedded servers in use: those that no URL replaces."""
    data = settings.EKIDEN_DATA
    servers: list[EmbeddedPostgres | EmbeddedValkey] = []
    if embedded.postgres_url(data) == settings.DATABASE_URL:
        servers.append(EmbeddedPostgres(data))
    if embedded.valkey_url(data) == settings.REDIS_URL:
        servers.append(EmbeddedValkey(data))
    return servers


def _servers() -> Iterator[Process]:
    for rank, server in enumerate(embedded_servers(), start=10):
        yield Process(
            server.name, tuple(server.command()), rank, account=embedded.account() or "-",
            is_service=False,
            stop_signal=server.stop_signal, stop_seconds=60,
        )  # fmt: skip


def _services() -> Iterator[Process]:
    patience = settings.EKIDEN_DRAIN_SECONDS + 10
    yield Process("sandbox", _manage("sandbox_mx"), 30)
    # Two, so that the sweep of deadlines never waits behind a long import.
    yield Process("maintenance", _manage("rqworker", "maintenance"), 40, count=2)
    yield Process(
        "worker",
        _manage("rqworker", "deliveries"),
        50,
        count=settings.EKIDEN_WORKERS,
        stop_seconds=60,
    )
    yield Process("scheduler", _manage("scheduler"), 60)
    yield Process("portal", _gunicorn(), 70)
    yield Process(
        "listener",
        _manage("smtp_listener"),
        80,
        count=settings.EKIDEN_LISTENERS,
        stop_seconds=patience,
    )


def _manage(*words: str) -> tuple[str, ...]:
    return sys.executable, str(settings.BASE_DIR / "manage.py"), *words


def _gunicorn() -> tuple[str, ...]:
    return (
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        str(settings.BASE_DIR / "relay_portal" / "gunicorn.py"),
    )


def socket_path() -> Path:
    """Return the socket at which Supervisor listens; only its own account and root can open it."""
    return embedded.runtime_folder(settings.EKIDEN_DATA) / "up.sock"


@contextmanager
def supervisor() -> Iterator[Any]:
    """Yield the RPC proxy of the Supervisor that runs this installation, or None.

    None stands for no Supervisor, or one that ends. The calls: http://supervisord.org/api.html
    """
    transport = SupervisorTransport(None, None, f"unix://{socket_path()}")
    proxy: Any = ServerProxy("http://127.0.0.1", transport=transport).supervisor
    try:
        proxy.getState()
    except (OSError, Fault):
        proxy = None
    try:
        yield proxy
    finally:
        transport.close()


def show_once(secret: str, otherwise: str) -> None:
    """Have `up` show the secret text on its terminal, the other where it has none; neither comes
    into a log. Raises OSError, Fault.
    """
    transport = SupervisorTransport(None, None, f"unix://{socket_path()}")
    try:
        ServerProxy("http://127.0.0.1", transport=transport).ekiden.show_once(secret, otherwise)
    finally:
        transport.close()


def log_folder() -> Path:
    return Path(settings.EKIDEN_DATA / "log")


def configuration(processes: list[Process]) -> str:
    """Write Supervisor's configuration file."""
    sections: dict[str, dict[str, Any]] = {
        "supervisord": {
            "nodaemon": "true",
            "silent": "true",
            "logfile": _plain(log_folder() / "supervisor.log"),
            "pidfile": _plain(embedded.runtime_folder(settings.EKIDEN_DATA) / "up.pid"),
            "childlogdir": _plain(log_folder()),
            "nocleanup": "true",
            "directory": _plain(settings.BASE_DIR),
            "minfds": min(FILES, _files_allowed()),
            "umask": "077",
        },
        "unix_http_server": {"file": _plain(socket_path()), "chmod": "0700"},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "rpcinterface:ekiden": {
            "supervisor.rpcinterface_factory": "relay_portal.process.supervision:attach"
        },
    }
    sections |= {f"program:{process.name}": _section(process) for process in processes}
    parser = RawConfigParser()
    parser.read_dict(sections)
    written = StringIO()
    parser.write(written)
    return written.getvalue()


def _section(process: Process) -> dict[str, Any]:
    command = [
        sys.executable,
        "-I",
        "-S",
        str(PARENT_GUARD),
        str(int(process.stop_signal)),
        process.account,
        *process.command,
    ]
    number = "-%(process_num)d" if process.count > 1 else ""
    return {
        "command": _plain(shlex.join(command)),
        "process_name": f"%(program_name)s{number}",
        "numprocs": process.count,
        "numprocs_start": 1,
        "priority": process.rank,
        "autostart": _yes(not process.is_service),
        "autorestart": _yes(process.name != SETUP),
        "startsecs": 0 if process.name == SETUP else 1,
        "startretries": FOREVER,
        "stopsignal": process.stop_signal.name.removeprefix("SIG"),
        "stopwaitsecs": process.stop_seconds,
        "redirect_stderr": "true",
        # Supervisor expands this one twice
        "stdout_logfile": f"{_plain(_plain(log_folder()))}/{process.name}{number}.log",
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": 4,
        "stdout_events_enabled": "true",
    }


def _files_allowed() -> float:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return math.inf if limit == resource.RLIM_INFINITY else limit


def _plain(text: object) -> str:
    """Escape what Supervisor would expand."""
    return str(text).replace("%", "%%")


def _yes(value: bool) -> str:
    return "true" if value else "false"
