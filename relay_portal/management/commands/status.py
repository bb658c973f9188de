"""Say whether everything is up."""

from typing import Any

from domains.command import CommandParser, EkidenCommand
from relay_portal import readiness, sandbox


class Command(EkidenCommand):
    help = "Say whether everything is up; exit status 0 when it is, 1 when not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help='{"ready": …, "parts": {…}, "processes": […]}')

    def handle(self, *args: Any, as_json: bool, **options: Any) -> None:
        parts, processes = readiness.parts(), readiness.supervised()
        ready = all(parts.values()) and all(process["state"] == "running" for process in processes)
        if as_json:
            self.write_json({"ready": ready, "parts": parts, "processes": processes})
        else:
            self._print(parts, processes)
        if not ready:
            raise SystemExit(1)

    def _print(self, parts: dict[str, bool], processes: list[dict[str, Any]]) -> None:
        for name, is_there in parts.items():
            self.stdout.write(f"{name:<20}{self.style.SUCCESS('up') if is_there else self.style.ERROR('does not answer')}")
        if processes:
            self.stdout.write("")
        header = ("PROCESS", "STATE", "PID", "SINCE")
        rows = [(each["name"], each["state"], str(each["pid"] or "-"), f"{each['seconds']} s") for each in processes]
        self.write_table([header, *rows], empty="No `ekiden up` runs for these data." if not processes else "")
        if parts["PostgreSQL"]:
            self.stdout.write(f"\n{readiness.where()}")
            if sandbox.route():
                self.stdout.write("SANDBOX: no mail leaves for the internet (./ekiden live).")
