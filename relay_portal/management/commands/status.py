"""Say whether everything is up."""

from dataclasses import asdict
from typing import Any

from django.conf import settings

from deliveries.capacity import inflow
from deliveries.insight.wait_reasons import short
from deliveries.models import Stop
from deliveries.queue import unwritten_outcomes
from deliveries.steering import pauses
from domains.foundation.command import CommandParser, EkidenCommand
from domains.models import SetAside
from relay_portal.console import causes, sandbox
from relay_portal.doctor.machine import low_disk_text
from relay_portal.process import readiness
from smtp_listener.admission import low_disks
from suppressions.models import Brake


class Command(EkidenCommand):
    help = "Say whether everything is up; exit status 0 when it is, 1 when not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help='{"ready": …, "parts": {…}, "processes": […], "paused": […], "set_aside": N, '
            '"outcome_files": N, "causes": […], "low_disks": […], "in_flow": {…}}',
        )

    def handle(self, *args: Any, as_json: bool, **options: Any) -> None:
        parts, processes = readiness.parts(), readiness.supervised()
        low, flow, found = low_disks.find(), inflow.find(), causes.find(processes)
        ready = (
            not any(each.refuses_apps for each in low)
            and all(parts.values())
            and all(process["state"] == "running" for process in processes)
        )
        if as_json:
            paused = (
                [f"{each.kind.lower()} {each.name}" for each in pauses.everything()]
                if parts["PostgreSQL"]
                else []
            )
            self.write_json(
                {
                    "ready": ready,
                    "parts": parts,
                    "processes": processes,
                    "paused": paused,
                    "set_aside": _set_aside() if parts["PostgreSQL"] else 0,
                    "outcome_files": _outcome_files(),
                    "in_flow": {"state": flow.state, **asdict(flow)},
                    "causes": found,
                    "low_disks": [
                        asdict(each) | {"refuses_apps": each.refuses_apps} for each in low
                    ],
                }
            )
        else:
            self._print(parts, processes)
            for cause in found:
                self.stdout.write(self.style.ERROR(cause))
            for each in low:
                self.stdout.write(self.style.ERROR(f"DISK FULL: {low_disk_text(each)}"))
            if flow.limit is not None:
                self.stdout.write(self.style.WARNING(_slowed(flow)))
        if not ready:
            raise SystemExit(1)

    def _print(self, parts: dict[str, bool], processes: list[dict[str, Any]]) -> None:
        for name, is_there in parts.items():
            state = self.style.SUCCESS("up") if is_there else self.style.ERROR("does not answer")
            self.stdout.write(f"{name:<20}{state}")
        if processes:
            self.stdout.write("")
        header = ("PROCESS", "STATE", "PID", "SINCE")
        rows = [
            (each["name"], each["state"], str(each["pid"] or "-"), span(each["seconds"]))
            for each in processes
        ]
        self.write_table(
            [header, *rows],
            empty=f"No `ekiden up` runs with its data in {settings.EKIDEN_DATA}."
            if not processes
            else "",
        )
        if amount := _outcome_files():
            text = (
                f"LEFT BEHIND: {amount} files of outcomes wait in {unwritten_outcomes.folder()}. "
                "See: ./ekiden doctor"
            )
            self.stdout.write(self.style.WARNING(text))
        if parts["PostgreSQL"]:
            self.stdout.write(f"\n{readiness.where()}")
            if sandbox.route():
                self.stdout.write("SANDBOX: no mail leaves for the internet (./ekiden live).")
            if amount := _set_aside():
                self.stdout.write(
                    self.style.ERROR(
                        f"PUT ASIDE: {amount} items could not be handled. See the portal, Put "
                        "aside."
                    )
                )
            for brake in Brake.objects.filter(ended_at__isnull=True):
                self.stdout.write(
                    self.style.ERROR(
                        f"LEARNING STOPPED: too many domains turned {brake} at once. See: "
                        "./ekiden doctor"
                    )
                )
            for each in pauses.everything():
                self.stdout.write(self.style.WARNING(_paused(each)))


def _slowed(flow: inflow.InflowReport) -> str:
    behind = (
        f"urgent mail waits {flow.urgent_late} ms for this machine"
        if flow.urgent_late
        else f"delivery is {flow.seconds_behind:.1f} s behind what is accepted"
    )
    return (
        f"{flow.state.upper()}: {behind}, so apps wait for their turn; urgent mail "
        f"does not ({flow.limit:.0f} messages a second are let in, {flow.waiting} wait)."
    )


def span(seconds: int) -> str:
    """Write a time for people: `40 s`, `13 min`, `5 h`, `12 days`."""
    for name, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"


def _set_aside() -> int:
    return SetAside.objects.troubles().count()


def _outcome_files() -> int:
    """Count this machine's outcome files: those that wait for a worker, and broken ones."""
    return sum(map(len, unwritten_outcomes.files(unwritten_outcomes.folder())))


def _paused(each: pauses.Paused) -> str:
    if isinstance(each.row, Stop) and each.row.scope == Stop.Scope.ALL:
        return (
            f"EMERGENCY STOP: no mail is delivered ({short(each.reason)}). To go on: ./ekiden "
            "resume all"
        )
    return (
        f"PAUSED: {each.kind.lower()} {each.name} ({short(each.reason)}). See: ./ekiden pause list"
    )
