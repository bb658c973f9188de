"""Bring the whole service up in the foreground."""

import fcntl
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings

from domains.command import CommandError, EkidenCommand
from relay_portal import embedded, processes
from relay_portal.doctor import machine
from relay_portal.doctor.finding import Level
from relay_portal.embedded import EmbeddedError, make_folder
from smtp_listener import tls
from smtp_listener.tls import CertificateError


class Command(EkidenCommand):
    help = "Bring everything up: PostgreSQL and Valkey where no URL names others, listeners, workers, scheduler, portal. Ctrl-C stops it."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Ekiden {settings.EKIDEN_HOSTNAME}, with its data in {settings.EKIDEN_DATA}")
        try:
            make_folder(settings.EKIDEN_DATA, 0o711)
            make_folder(processes.log_folder(), 0o700)
            make_folder(embedded.runtime_folder(settings.EKIDEN_DATA), 0o711)
            take_place()
            refuse_taken_ports()
            tls.certificate(settings.EKIDEN_TLS_CERT, settings.EKIDEN_TLS_KEY, data=settings.EKIDEN_DATA, hostname=settings.EKIDEN_HOSTNAME)
            for server in processes.embedded_servers():
                self.stdout.write(f"Starting {server.name} (its log: {processes.log_folder() / server.name}.log)")
                server.prepare()
        except (EmbeddedError, CertificateError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.flush()
        become_supervisor(write_configuration())


def take_place() -> None:
    """There is one `up` for the data: the lock is Supervisor's as long as it lives, since its descriptor outlives the exec."""
    descriptor = os.open(embedded.runtime_folder(settings.EKIDEN_DATA) / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(descriptor, True)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CommandError(f"The service of {settings.EKIDEN_DATA} is up already (./ekiden status).") from error


def refuse_taken_ports() -> None:
    """Now, in one line: a listener that dies over and over would say it less clearly."""
    for finding in machine.ports():
        if finding.level is Level.BAD:
            raise CommandError(f"{finding.text} {finding.advice}")


def write_configuration() -> Path:
    path = embedded.runtime_folder(settings.EKIDEN_DATA) / "supervisor.conf"
    path.write_text(processes.configuration(processes.table()), encoding="utf-8")
    return path


def become_supervisor(configuration: Path) -> NoReturn:
    """In place of this process, so that signals for `ekiden up` are Supervisor's, and Django's memory is given back."""
    os.chdir(settings.BASE_DIR)
    os.execv(sys.executable, [sys.executable, "-m", "relay_portal.supervision", str(configuration)])  # noqa: S606  (our own program)
