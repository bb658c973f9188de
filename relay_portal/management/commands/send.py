"""Send a test message and watch it."""

import shutil
import sys
from argparse import ArgumentTypeError
from contextlib import nullcontext
from typing import Any

from deliveries.insight.tracing import DeliveryFacts, Trace
from deliveries.insight.wait_reasons import short
from deliveries.management.commands import trace
from deliveries.models.states import DeliveryState
from domains.foundation.command import CommandError, CommandParser, EkidenCommand
from domains.foundation.text.texts import has_control
from relay_portal.console import test_message
from relay_portal.console.test_message import Letter, NotSent

TEXT = "This message came through Ekiden.\n\n駅伝で届きました。"


class Command(EkidenCommand):
    help = (
        "Send a test message through the real SMTP path and watch it until its outcome; exit "
        "status 0 when it is delivered to all, else 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("sender", metavar="FROM", help="an address of a verified domain")
        parser.add_argument("recipients", metavar="TO", nargs="+")
        parser.add_argument(
            "--login",
            metavar="USER:SECRET",
            help="the app's credential; without it one is issued for this message",
        )
        parser.add_argument("--subject", type=one_line, default="Hello from Ekiden")
        parser.add_argument("--text", default=TEXT)
        parser.add_argument(
            "--wait", type=float, default=60.0, metavar="SECONDS", help="how long to watch (60)"
        )
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help="print the trace, as the command trace does",
        )

    def handle(
        self,
        *args: Any,
        sender: str,
        recipients: list[str],
        login: str | None,
        as_json: bool,
        **options: Any,
    ) -> None:
        letter = Letter(sender, recipients, options["subject"], options["text"])
        try:
            with (
                nullcontext(user_and_secret(login))
                if login
                else test_message.own_login(sender) as user
            ):
                queue_id = test_message.hand_in(letter, user)
        except NotSent as error:
            raise CommandError(str(error)) from error
        progress = Progress(self, is_silent=as_json)
        found = test_message.follow(queue_id, seconds=options["wait"], show=progress.show)
        progress.end()
        if as_json:
            self.write_json(found)
        else:
            self.stdout.write("\n".join(trace.lines(found, self.style)))
        if any(delivery["state"] != DeliveryState.DELIVERED for delivery in found["deliveries"]):
            raise SystemExit(1)


def one_line(text: str) -> str:
    if has_control(text):
        raise ArgumentTypeError("a subject is one line")
    return text


def user_and_secret(login: str) -> tuple[str, str]:
    user, colon, secret = login.partition(":")
    if not colon:
        raise CommandError("--login takes USER:SECRET.")
    return user, secret


class Progress:
    """One line that is written over on a terminal; elsewhere one for each change."""

    def __init__(self, command: EkidenCommand, *, is_silent: bool) -> None:
        self._command = command
        self._is_silent = is_silent
        self._is_live = sys.stdout.isatty()
        self._shown = ""

    def show(self, found: Trace) -> None:
        if self._is_silent:
            return
        if self._is_live:
            line = " · ".join(_progress(delivery, is_long=True) for delivery in found["deliveries"])
            self._command.stdout.write(
                f"\r\x1b[2K{short(line)[: shutil.get_terminal_size().columns - 1]}", ending=""
            )
        elif (
            line := " · ".join(
                _progress(delivery, is_long=False) for delivery in found["deliveries"]
            )
        ) != self._shown:
            self._shown = line
            self._command.stdout.write(line)
        self._command.stdout.flush()

    def end(self) -> None:
        if self._is_live and not self._is_silent:
            self._command.stdout.write("\r\x1b[2K", ending="")


def _progress(delivery: DeliveryFacts, *, is_long: bool) -> str:
    state = f"{delivery['recipient']}: {DeliveryState(delivery['state']).label}"
    last = delivery["attempts"][-1]["text"] if delivery["attempts"] else ""
    why = (delivery["waiting"] if is_long else None) or last  # the sentence counts seconds
    return f"{state} ({why})" if why else state
