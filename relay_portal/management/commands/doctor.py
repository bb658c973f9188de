"""Examine the installation."""

from dataclasses import asdict
from typing import Any

from domains.foundation.command import CommandParser, EkidenCommand
from relay_portal import doctor
from relay_portal.doctor.finding import Finding, Level


class Command(EkidenCommand):
    help = (
        "Check settings, ports, DNS, services, clock and disk, and say what to do; exit "
        "status 1 "
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
        self.stdout.write(f"{mark} {finding.name:<14}{finding.text}")
        if finding.advice:
            self.stdout.write(f"  {'':<14}→ {finding.advice}")
