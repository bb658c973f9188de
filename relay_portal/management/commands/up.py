"""Bring the whole service up in the foreground."""

import fcntl
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings

from domains.foundation.command import CommandError, EkidenCommand
from relay_portal.process import ports, processes
from relay_portal.servers import embedded, places, system_account
from relay_portal.servers.embedded import EmbeddedError
from relay_portal.servers.places import make_folder
from relay_portal.servers.system_account import AccountError
from relay_portal.setup import public_certificate
from smtp_listener.protocol import tls
from smtp_listener.protocol.tls import CertificateError


class Command(EkidenCommand):
    help = (
        "Bring everything up: PostgreSQL and Valkey where no URL names others, listeners, "
        "workers, scheduler, portal. Ctrl-C stops it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        data = settings.EKIDEN_DATA
        also = "" if (state := places.state_folder(data)) == data else f" and {state}"
        self.stdout.write(f"Ekiden {settings.EKIDEN_HOSTNAME}, with its data in {data}{also}")
        try:
            make_data_folder(settings.EKIDEN_DATA)
            protect_logs(processes.log_folder())
            settle_sockets(take_place())
            refuse_taken_ports()
            tls.certificate(
                settings.EKIDEN_TLS_CERT,
                settings.EKIDEN_TLS_KEY,
                data=settings.EKIDEN_DATA,
                hostname=settings.EKIDEN_HOSTNAME,
            )
            if not settings.EKIDEN_TLS_CERT:
                public_certificate.publish()
            self._prepare_servers()
        except (EmbeddedError, AccountError, CertificateError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.flush()
        become_supervisor(write_configuration())

    def _prepare_servers(self) -> None:
        servers = processes.embedded_servers()
        if servers and system_account.make():
            self.stdout.write(
                f"Made the system account {system_account.NAME}: PostgreSQL and Valkey run under "
                "it, not as root"
            )
        for server in servers:
            self.stdout.write(
                f"Starting {server.name} (its log: {processes.log_folder() / server.name}.log)"
            )
            server.prepare()


def make_data_folder(folder: Path) -> None:
    """Make the folder, or raise `CommandError`.

    It is the first thing that fails in a clone that cannot be written.
    """
    try:
        make_folder(folder, 0o711)
    except OSError as error:
        why = f"{folder}: {error.strerror}" if error.strerror else str(error)
        raise CommandError(
            f"{why}. Set EKIDEN_DATA to a folder that this account can write."
        ) from error


def protect_logs(folder: Path) -> None:
    """Make the logs readable for our account alone, those of earlier versions too."""
    make_folder(folder, 0o700)
    for log in folder.iterdir():
        log.chmod(0o600)


def take_place() -> int:
    """Lock the data for one `up`; Supervisor keeps the lock, whose descriptor outlives the exec."""
    descriptor = os.open(settings.EKIDEN_DATA / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(descriptor, True)
    is_up = places.is_older_version_up(settings.EKIDEN_DATA)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        is_up = True
    if is_up:
        raise CommandError(
            f"The service of {settings.EKIDEN_DATA} is up already (./ekiden status)."
        )
    return descriptor


def settle_sockets(lock: int) -> None:
    """Make their folder.

    Where that is not the one which the settings were computed with, begin again with it.
    """
    expected = places.runtime_folder(settings.EKIDEN_DATA)
    places.forget_older_version(settings.EKIDEN_DATA)
    if places.settle(settings.EKIDEN_DATA) != expected:
        os.close(lock)
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606  (our own command line)


def refuse_taken_ports() -> None:
    """Refuse in one line if a port is taken: a listener that dies over and over would say it less
    clearly.
    """
    if complaint := ports.complaint():
        raise CommandError(complaint)


def write_configuration() -> Path:
    path = embedded.runtime_folder(settings.EKIDEN_DATA) / "supervisor.conf"
    path.write_text(processes.configuration(processes.table()), encoding="utf-8")
    return path


def become_supervisor(configuration: Path) -> NoReturn:
    """Replace this process by Supervisor, which then gets the signals for `ekiden up`; Django's
    memory is freed.
    """
    os.chdir(settings.BASE_DIR)
    os.umask(0o077)  # Supervisor opens the logs
    # UTF-8 in any locale: the configuration may hold a path that the locale has no letters for.
    os.execv(  # noqa: S606
        sys.executable,
        [
            sys.executable,
            "-X",
            "utf8",
            "-m",
            "relay_portal.process.supervision",
            str(configuration),
        ],
    )
