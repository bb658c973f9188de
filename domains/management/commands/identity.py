"""Show how receivers see the addresses that mail leaves from."""

from typing import Any

from django.utils import timezone

from domains.foundation.command import CommandParser, EkidenCommand
from domains.foundation.text import texts
from domains.identity import own_lights

MARKS = {"good": "✓", "bad": "✗", "unknown": "?"}


class Command(EkidenCommand):
    help = (
        "Show how receivers see this relay: PTR, forward confirmation and EHLO name of each source "
        "address, and the large block lists. Exit status 1 while something is wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--now", action="store_true", help="look now; it is done every hour")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, now: bool, as_json: bool, **options: Any) -> None:
        if now:
            own_lights.refresh(now=timezone.now())
        found = own_lights.lights()
        if as_json:
            self.write_json(found)
        elif not found:
            self.stdout.write("Nothing is known yet. Look now: ./ekiden identity --now")
        address = ""
        for each in [] if as_json else found:
            if each["address"] != address:
                address = each["address"]
                self.stdout.write(f"{address}, as of {each['checked_at'][:16]}")
            self.stdout.write(f"  {MARKS[each['state']]} {texts.clean(each['text'])}")
        if any(each["state"] == "bad" for each in found):
            raise SystemExit(1)
