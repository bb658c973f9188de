"""Run a listener process."""

from typing import Any

from deliveries.backends.loglines import spare_records
from domains.foundation.command import CommandError, EkidenCommand
from domains.operations import starting
from smtp_listener.protocol.tls import CertificateError
from smtp_listener.sessions.server import run


class Command(EkidenCommand):
    help = (
        "Run one listener process; several share the ports. Ends on SIGTERM after its sessions "
        "have."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        spare_records()
        starting.admit()
        try:
            run()
        except CertificateError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(
                f"The listener cannot open its ports: {error.strerror or error}"
            ) from error
