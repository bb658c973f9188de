"""Leave the sandbox."""

import sys
from typing import Any

from deliveries.backends import maillog
from domains.foundation.command import CommandError, CommandParser, EkidenCommand
from domains.operations import audit
from relay_portal import doctor
from relay_portal.console import sandbox
from relay_portal.doctor.finding import Level

NEEDS = """Real sending needs:
  1. a fixed public address whose name (PTR) is EKIDEN_HOSTNAME, \
and that name pointing back to the address;
  2. outgoing connections to port 25 (many providers open it only on request);
  3. EKIDEN_HOSTNAME's port 25 leading to EKIDEN_MX_PORT, \
and an MX record for it, so that bounces come back;
  4. for each sending domain its DKIM, SPF and DMARC records: ./ekiden domain show DOMAIN;
  5. a patient start: a new address that sends much at once is taken for a spammer.
"""


class Command(EkidenCommand):
    help = (
        "Leave the sandbox: remove its route, so that mail goes to the internet. What waits for "
        "the sandbox is cancelled."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, yes: bool, **options: Any) -> None:
        route = sandbox.route()
        if route is None:
            raise CommandError("There is no sandbox route: mail goes to the internet already.")
        self.stdout.write(NEEDS)
        for finding in doctor.for_real_sending():
            if finding.level is not Level.GOOD:
                self.stdout.write(f"  {finding.level}: {finding.text} {finding.advice}")
        if not yes and not is_agreed():
            raise CommandError("Nothing was changed.")
        audit.note_command("live", route)
        with maillog.at_a_terminal():
            cancelled = sandbox.leave(route)
        whose = ", ".join(f"{amount:,} of {project}" for project, amount in cancelled.items())
        waiting = f" Cancelled, since they waited for the sandbox: {whose}." if whose else ""
        self.stdout.write(
            f"LIVE: mail goes to the recipients' mail hosts from now on.{waiting} Back: ./ekiden "
            "sandbox"
        )


def is_agreed() -> bool:
    if not sys.stdin.isatty():
        raise CommandError("Say --yes to go live without being asked.")
    return input("\nGo live? Mail will reach real people. [yes/no] ").strip().lower() == "yes"
