"""Set the installation up: database, migrations, and what a first run needs."""

import signal
import time
from collections.abc import Callable
from typing import Any, NoReturn
from xmlrpc.client import Fault

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from supervisor.xmlrpc import Faults

from deliveries.authentication import demands
from deliveries.queue import warm_up_plans
from deliveries.shaping import rules
from domains.foundation.command import CommandError, CommandParser, EkidenCommand
from domains.foundation.process import postgres_session
from domains.models import KeyFingerprint
from domains.operations import own_keys
from domains.operations.own_keys import KeyMismatch
from relay_portal.console import sandbox, terminal, unknown_settings
from relay_portal.process import processes, readiness
from relay_portal.servers import reachability
from relay_portal.servers.embedded import EmbeddedPostgres
from relay_portal.servers.places import state_folder
from relay_portal.setup import first_keys, first_run, public_certificate

EVERYWHERE = "Copy the folder keys to all machines of the installation, and restart everything."
ENDS = {signal.SIGTERM, signal.SIGINT}
PATIENCE = reachability.PATIENCE


class Command(EkidenCommand):
    help = (
        "Migrate the database and, in a new installation, make an operator, a demo project and "
        "the sandbox route. Harmless to repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--start", action="store_true", help="then start the services (as `up` does)"
        )
        parser.add_argument(
            "--new-secret-key",
            action="store_true",
            help="change the secret key, because it leaked or is lost",
        )
        parser.add_argument(
            "--new-key-ring",
            action="store_true",
            help="make a key ring, and signing keys, in place of a lost one",
        )

    def handle(
        self, *args: Any, start: bool, new_secret_key: bool, new_key_ring: bool, **options: Any
    ) -> None:
        self._wait_for_servers()
        postgres_session.demand()
        try:
            if not new_secret_key:
                refuse_another_installation()
            self._migrate()
            self._settle_keys(new_secret_key=new_secret_key, new_key_ring=new_key_ring)
        except KeyMismatch as error:
            raise KeyMismatch(f"{error}{of_a_removed_folder()}") from error
        rules.sync()
        warm_up_plans.sync()
        demands.sync()
        signal.signal(signal.SIGTERM, end)
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # until what was made is sure to be shown
        made = first_run.make()
        missing: list[str] = []
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
            if start:
                self._start()
                missing = self._missing()
        finally:  # whatever else goes wrong, the secrets are shown this once or never
            if made is not None:
                self._show(made, by_up=start)
        if start:
            self._say_where(missing)
        for text, hint in unknown_settings.found():
            self.stdout.write(f"{text} {hint}")

    def _show(self, made: first_run.Made, *, by_up: bool) -> None:
        """Show the secrets on a terminal only: a log would keep them for everybody who reads it
        later.
        """
        secret, otherwise = first_run.welcome(made), first_run.welcome_without_secrets()
        if not by_up:
            return self.stdout.write(secret if self.stdout.isatty() else otherwise)
        self.stdout.flush()  # what was said so far comes first
        try:
            processes.show_once(secret, otherwise)
        except (OSError, Fault):  # `up` itself was killed
            self.stdout.write(otherwise)
        return None

    def _wait_for_servers(self) -> None:
        for server in processes.embedded_servers():
            wait_for(
                server.is_ready,
                f"{server.name} does not answer; see its log, "
                f"{processes.log_folder() / server.name}.log",
            )
            if isinstance(server, EmbeddedPostgres):
                server.make_database()
        reachability.wait_for_database(self._say)
        reachability.wait_for_valkey(self._say)

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _migrate(self) -> None:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            self.stdout.write(f"Migrating the database ({len(plan)} steps)")
            self.stdout.flush()
            call_command("migrate", verbosity=0, interactive=False, skip_checks=True)

    def _settle_keys(self, *, new_secret_key: bool, new_key_ring: bool) -> None:
        if new_secret_key:
            first_keys.renew_secret()
            self.stdout.write(f"The secret key in {own_keys.secret_place()} is new. {EVERYWHERE}")
        if new_key_ring:
            domains = first_keys.renew_ring()
            self.stdout.write(f"The key ring {own_keys.ring_place()} is new. {EVERYWHERE}")
            for domain in domains:
                self.stdout.write(
                    f"{domain} has a new signing key; publish its record: ./ekiden domain show "
                    f"{domain}"
                )
        first_keys.settle()

    def _start(self) -> None:
        services = [process.name for process in processes.table() if process.is_service]
        self.stdout.write(f"Starting {', '.join(services)}")
        self.stdout.flush()
        with processes.supervisor() as supervisor:
            if supervisor is None:
                raise CommandError("There is no `ekiden up` to start the services.")
            for service in services:
                try:
                    supervisor.startProcessGroup(service, False)
                except Fault as error:
                    if error.faultCode != Faults.SHUTDOWN_STATE:
                        raise
                    raise SystemExit(1) from error  # Ctrl-C came first

    def _missing(self) -> list[str]:
        """Return what has not come up in time; Supervisor goes on trying."""
        until = time.monotonic() + PATIENCE
        while (missing := readiness.waiting_for()) and time.monotonic() < until:
            time.sleep(0.1)
        return missing

    def _say_where(self, missing: list[str]) -> None:
        state = (
            (
                f"Not ready: still waiting for {', '.join(missing)} (see above, and "
                f"{processes.log_folder()})."
            )
            if missing
            else "Ready."
        )
        self.stdout.write(f"\n{state} {readiness.where()}")
        if not settings.EKIDEN_TLS_CERT:
            where = public_certificate.path()
            self.stdout.write(
                f"Apps must trust its own certificate: {where} (how: docs/sending.md, “A fresh "
                "installation”)"
            )
        if sandbox.route():
            self.stdout.write(
                "SANDBOX: all mail goes to the built-in sandbox, none to the internet. To send "
                "for real: ./ekiden live"
            )
        if terminal.has_settings():
            besides = ", ".join(terminal.secrets_needed())
            self.stdout.write(
                "Commands in another terminal need these settings: "
                f"{terminal.line('status')}{besides and f' (and {besides})'}"
            )


def end(*_: object) -> NoReturn:
    """Exit on SIGTERM by way of every `finally`."""
    raise SystemExit(128 + signal.SIGTERM)


def refuse_another_installation() -> None:
    """Raise `KeyMismatch` before anything in a database is changed that is not this machine's."""
    if KeyFingerprint._meta.db_table in connection.introspection.table_names():
        own_keys.check_secret()


def of_a_removed_folder() -> str:
    """Return where the database is that a removed data folder may have left; "" where it lies in
    the data folder, or is not ours to run.
    """
    folder = state_folder(settings.EKIDEN_DATA)
    has_own = any(isinstance(each, EmbeddedPostgres) for each in processes.embedded_servers())
    if not has_own or folder == settings.EKIDEN_DATA:
        return ""
    return (
        f". The database is in {folder}. If you have removed its installation, and want to begin "
        "anew, remove that folder too"
    )


def wait_for(is_so: Callable[[], object], complaint: str) -> None:
    """Look again and again; raises `CommandError` when the time is over."""
    until = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > until:
            raise CommandError(complaint)
        time.sleep(0.1)
