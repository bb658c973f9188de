"""Set the installation up: database, migrations, and what a first run needs."""

import time
from collections.abc import Callable
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from deliveries.models import Route
from domains.command import CommandError, CommandParser, EkidenCommand
from relay_portal import first_run, processes, readiness
from relay_portal.embedded import EmbeddedPostgres

PATIENCE = 60.0  # seconds for a server: after a crash PostgreSQL replays its log first


class Command(EkidenCommand):
    help = "Migrate the database and, in a new installation, make an operator, a demo project and the sandbox route. Harmless to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--start", action="store_true", help="then start the services (as `up` does)")

    def handle(self, *args: Any, start: bool, **options: Any) -> None:
        self._wait_for_servers()
        self._migrate()
        made = first_run.make()
        if start:
            self._start()
        if made is not None:
            self.stdout.write(first_run.welcome(made))
        if start:
            self._say_where()

    def _wait_for_servers(self) -> None:
        for server in processes.embedded_servers():
            wait_for(server.is_ready, f"{server.name} does not answer; see its log, {processes.log_folder() / server.name}.log")
            if isinstance(server, EmbeddedPostgres):
                server.make_database()
        wait_for(readiness.has_database, f"PostgreSQL does not answer at {without_password(settings.DATABASE_URL)}")
        wait_for(readiness.has_valkey, f"Valkey does not answer at {without_password(settings.REDIS_URL)}")

    def _migrate(self) -> None:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            self.stdout.write(f"Migrating the database ({len(plan)} steps)")
            self.stdout.flush()
            call_command("migrate", verbosity=0, interactive=False, skip_checks=True)

    def _start(self) -> None:
        services = [process.name for process in processes.table() if process.is_service]
        self.stdout.write(f"Starting {', '.join(services)}")
        self.stdout.flush()
        with processes.supervisor() as supervisor:
            if supervisor is None:
                raise CommandError("There is no `ekiden up` to start the services.")
            for service in services:
                supervisor.startProcessGroup(service, False)
        wait_for(lambda: not readiness.waiting_for(), "Not everything has come up", patience=PATIENCE, then=self._say_what_is_missing)

    def _say_what_is_missing(self) -> None:
        """Supervisor goes on trying."""
        self.stderr.write(f"Still waiting for: {', '.join(readiness.waiting_for())} (see above, and {processes.log_folder()})")

    def _say_where(self) -> None:
        self.stdout.write(f"\nReady. {readiness.where()}")
        if Route.objects.filter(is_sandbox=True).exists():
            self.stdout.write("SANDBOX: all mail goes to the built-in sandbox, none to the internet. To send for real: ./ekiden live\n")


def wait_for(is_so: Callable[[], object], complaint: str, *, patience: float = PATIENCE, then: Callable[[], None] | None = None) -> None:
    """Look again and again; after so many seconds call `then`, or raise `CommandError`."""
    until = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > until:
            if then is None:
                raise CommandError(complaint)
            return then()
        time.sleep(0.1)
    return None


def without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://…@{tail}" if at else psycopg.conninfo.make_conninfo("") or url
