"""Run the sandbox MX."""

from typing import Any

from domains.foundation.command import CommandError, EkidenCommand
from domains.operations import starting
from smtp_listener.sandbox.server import run


class Command(EkidenCommand):
    help = (
        "Run the sandbox MX: it takes the mail of the sandbox route and plays receivers' answers."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        starting.admit()
        try:
            run()
        except OSError as error:
            raise CommandError(
                f"The sandbox MX cannot open its port: {error.strerror or error}"
            ) from error
