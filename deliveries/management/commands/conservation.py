"""Prove that nothing was lost."""

from typing import Any

from deliveries.insight.stats import conservation
from domains.foundation.command import CommandParser, EkidenCommand


class Command(EkidenCommand):
    help = (
        "Compare the recipients that were accepted with what became of them; exit status 1 where "
        "one is missing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, as_json: bool, **options: Any) -> None:
        counted = conservation()
        if as_json:
            self.write_json(counted)
        else:
            self._print(counted)
        if counted["missing"]:
            raise SystemExit(1)

    def _print(self, counted: dict[str, int]) -> None:
        for name, amount in counted.items():
            self.stdout.write(f"{name:<10}{amount:>12,}")
        verdict = (
            self.style.ERROR("Some are missing.")
            if counted["missing"]
            else self.style.SUCCESS("None is missing.")
        )
        self.stdout.write(f"\nEvery accepted recipient must be live or ended. {verdict}")
