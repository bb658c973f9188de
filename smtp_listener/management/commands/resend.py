"""Send a message again to a corrected address."""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Mapping
from typing import Any

from deliveries.models import Message
from deliveries.steering.targets import reason
from domains.foundation.command import CommandError, CommandParser, EkidenCommand
from domains.foundation.text.addresses import parse_path
from domains.models import Credential
from domains.operations import audit
from domains.senders import names
from smtp_listener.manual.handing_in import NotTaken
from smtp_listener.manual.resending import Resend, resend


def queue_id(text: str) -> uuid.UUID:
    """Read an argument as a queue id."""
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no queue id") from error


class Command(EkidenCommand):
    help = (
        "Send a message again to another address: as it was, with Resent fields, a new signature "
        "and an id of its own."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("message", metavar="QUEUE-ID", type=queue_id)
        parser.add_argument("to", metavar="ADDRESS", help="the corrected address")
        parser.add_argument(
            "--credential",
            metavar="NAME",
            help="of the same project, whose limits count; without it the one that handed it in",
        )
        parser.add_argument(
            "--reason", required=True, type=reason, help="why: it goes into the audit log"
        )
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(
        self,
        *args: Any,
        message: uuid.UUID,
        to: str,
        credential: str | None,
        reason: str,
        as_json: bool,
        **options: Any,
    ) -> None:
        original = Message.objects.select_related("project", "credential").filter(pk=message)
        found = original.first()
        if found is None:
            raise CommandError(f"No such message: {message}. See: ./ekiden trace ADDRESS")

        def note(details: Mapping[str, Any]) -> None:
            audit.note_command("resend", found, reason=reason, details=details)

        asked = Resend(
            found,
            parse_path(to.strip("<>"), smtputf8=True),
            _credential(found, credential),
            audit.command_line(),
            uuid.uuid4(),
        )
        try:
            made = resend(asked, note)
        except NotTaken as error:
            raise CommandError(str(error)) from error
        if as_json:
            return self.write_json(
                {
                    "message": str(made.message_id),
                    "original": str(made.original_id),
                    "recipient": made.recipient,
                }
            )
        return self.stdout.write(f"Sent again to {made.recipient} as {made.message_id}")


def _credential(original: Message, name: str | None) -> Credential:
    if name is not None:
        return names.credential(name, of=original.project.name)
    if original.credential is None:
        raise CommandError("No app has handed this message in. Choose with --credential.")
    return original.credential
