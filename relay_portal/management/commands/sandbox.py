"""Go back into the sandbox."""

from typing import Any

from django.core.exceptions import ValidationError

from domains.foundation.command import CommandError, EkidenCommand
from domains.operations import audit
from relay_portal.console import sandbox


class Command(EkidenCommand):
    help = (
        "Deliver all mail to the built-in sandbox MX, none to the internet; mail that waits "
        "follows."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if sandbox.route():
            raise CommandError("All mail goes to the sandbox already.")
        try:
            route = sandbox.enter()
        except ValidationError as error:
            raise CommandError(
                "There is another route for all domains. Remove it first: ./ekiden route remove '*'"
            ) from error
        audit.note_command("sandbox", route)
        self.stdout.write(
            f"SANDBOX: all mail goes to {route.host}:{route.port}, none to the internet. To "
            "leave: ./ekiden live"
        )
