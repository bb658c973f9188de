"""Examine the installation."""

from dataclasses import asdict
from typing import Any

from domains.foundation.command import CommandParser, EkidenCommand
from domains.foundation.text import tables
from relay_portal import doctor
from relay_portal.doctor.finding import Finding, Level


class Command(EkidenCommand):
    help = (
        "Check settings, ports, DNS, services, clock and disk, and say what to do; exit status 1 "
        "where something is bad."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, as_json: bool, **options: Any) -> None:
        found = []
        for finding in doctor.examine():
            found.append(finding)
            if not as_json:
                self._print(finding)
        if as_json:
            self.write_json([asdict(finding) for finding in found])
        if any(finding.level is Level.BAD for finding in found):
            raise SystemExit(1)

    def _print(self, finding: Finding) -> None:
        mark = {
            Level.GOOD: self.style.SUCCESS("✓"),
            Level.WARNING: self.style.WARNING("!"),
            Level.BAD: self.style.ERROR("✗"),
        }[finding.level]
        width = self.terminal_width()
        # The mark's colour has no width, so that it is put before the first line afterwards.
        first, *others = tables.hanging(f"  {finding.name:<14}", finding.text, width)
        self.stdout.write("\n".join([f"{mark} {first[2:]}", *others]))
        if finding.advice:
            for line in tables.hanging(f"  {'':<14}→ ", finding.advice, width):
                self.stdout.write(line)
