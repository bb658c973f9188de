"""Run everything that tests the project."""

import json
import os
import subprocess
import sys
import time
from typing import Any

from django.conf import settings

from domains.foundation.command import CommandError, CommandParser, EkidenCommand
from relay_portal.console import unknown_settings

LINT = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy", "."))

CORES = len(os.sched_getaffinity(0))
WORKERS = min(2 * CORES, 15)  # a test waits for half of its time; Valkey has 16 databases

# A file's tests stay together; `tests/shares.py` says which begin first. The tests from outside
# start whole services and crowds of clients: with fewer beside each other, after the rest.
SHARED = ("--dist", "loadfile", "--no-loadscope-reorder")
STAGES = (
    ("-n", str(WORKERS), *SHARED, "-m", "not outside"),
    ("-n", str(min(CORES + 1, 4)), *SHARED, "-m", "outside"),
)
# So many that failed run again, alone: a test that only a busy machine fails is told apart from a
# fault, and its name is the last word of the run.
AGAIN_MOST = 5
LAST_FAILED = ".pytest_cache/v/cache/lastfailed"
# What it finds fails nothing, and it doubles the time of what runs in our own processes.
COVERAGE = ("--cov", "--cov-report=term:skip-covered")


class Command(EkidenCommand):
    help = (
        "Lint, types, and the whole test suite, with the services it needs. Arguments but the one "
        "below go to pytest, which then runs alone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--coverage", action="store_true", help="all of it, with branch coverage (alone)"
        )

    def run_from_argv(self, argv: list[str]) -> None:
        """Hand all arguments but the help's to pytest."""
        if argv[2:] in (["--help"], ["-h"]):
            return super().run_from_argv(argv)
        sys.exit(self.run(argv[2:]))

    def run(self, arguments: list[str]) -> int:
        self._once: list[str] = []
        is_measured = arguments == ["--coverage"]
        if arguments and not is_measured:
            return self._step("pytest", *arguments)
        inside, outside = STAGES
        stages = ((*inside, *COVERAGE * is_measured), outside)
        failed = [" ".join(step) for step in LINT if self._step(*step)]
        failed += [" ".join(stage) for stage in stages if not self._passes(stage)]
        if self._once:
            self.stderr.write(f"\nFailed once, and passed alone: {', '.join(self._once)}")
        if failed:
            self.stderr.write(f"\nFailed: {', '.join(failed)}")
        return 1 if failed else 0

    def _passes(self, stage: tuple[str, ...]) -> bool:
        """Tell if all tests of a stage pass, the few that failed in the crowd when they are
        alone.
        """
        (settings.BASE_DIR / LAST_FAILED).unlink(missing_ok=True)
        status = self._step("pytest", *stage)
        failed = self._failed() if status == 1 else []
        if not failed or len(failed) > AGAIN_MOST:
            return status == 0
        self.stderr.write(f"\nFailed, and run again alone: {', '.join(failed)}")
        if self._step("pytest", *failed):
            return False
        self._once += failed
        return True

    def _failed(self) -> list[str]:
        """Return the tests that failed last, as pytest notes them."""
        try:
            return list(json.loads((settings.BASE_DIR / LAST_FAILED).read_text()))
        except FileNotFoundError:
            return []

    def _step(self, module: str, *arguments: str) -> int:
        self.stdout.write(self.style.MIGRATE_HEADING(f"\n== {' '.join((module, *arguments))}"))
        self.stdout.flush()
        begun = time.monotonic()
        # What the developer has set for a service of their own must not reach the tests. A variable
        # that a test itself asks for is no setting, and does.
        without = unknown_settings.names() | {"DATABASE_URL", "REDIS_URL"}
        environment = {name: value for name, value in os.environ.items() if name not in without}
        status = subprocess.run(  # noqa: S603
            [sys.executable, "-m", module, *arguments],
            cwd=settings.BASE_DIR,
            env=environment,
            check=False,
        ).returncode
        self.stdout.write(
            f"-- {module}: {'ok' if not status else f'exit status {status}'} after "
            f"{time.monotonic() - begun:.0f} s"
        )
        return status

    def handle(self, *args: Any, **options: Any) -> None:
        raise CommandError("Run it from the command line: ./ekiden test")
