"""The service as `./ekiden up` runs it, for a test: real processes with servers of their own, to
be killed and started again.
"""

from __future__ import annotations

import json
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import psycopg

from relay_portal.servers.embedded import EmbeddedPostgres, EmbeddedValkey, account, runtime_folder
from tests.journeys.installations import (
    HOSTNAME,
    SENDER,
    begin_with_an_app,
    commands_environment,
)
from tests.journeys.processes import ROOT, Process, answers, wait_until
from tests.ports import free_port

__all__ = ["HOSTNAME", "ROOT", "SENDER", "Process", "Rig", "answers", "wait_until"]

KEPT = 1.2  # seconds for which a listener goes on with the credentials that it knows


class Rig:
    """`with Rig(dns.url, port) as rig`: everything is up, with one project, its domain and a
    credential (`rig.login`).

    `root` is the tree whose code runs.
    """

    def __init__(
        self,
        dns_url: str,
        delivery_port: int,
        *,
        listeners: int = 1,
        workers: int = 1,
        root: Path = ROOT,
        **settings: str,
    ) -> None:
        self.root = root
        self.folder = Path(tempfile.mkdtemp(prefix="ekiden-rig-"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.data.mkdir()
        self.login = begin_with_an_app(self.data, root)
        self.postgres, self.valkey = EmbeddedPostgres(self.data), EmbeddedValkey(self.data)
        self.submission, self.submissions, self.mx = free_port(), free_port(), free_port()
        self.env = (
            commands_environment(self.data)
            | {
                "EKIDEN_BIND": "127.0.0.1",
                "EKIDEN_SUBMISSION_PORT": str(self.submission),
                "EKIDEN_SUBMISSIONS_PORT": str(self.submissions),
                "EKIDEN_MX_PORT": str(self.mx),
                "EKIDEN_DNS": dns_url,
                "EKIDEN_PRIVATE_NETWORKS": "127.0.0.0/8",
                "EKIDEN_DELIVERY_PORT": str(delivery_port),
                "EKIDEN_LISTENERS": str(listeners),
                "EKIDEN_WORKERS": str(workers),
            }
            | settings
        )
        self._amounts = listeners, workers
        self._make_processes()
        self.postgres_process, self.valkey_process = (
            self._server(self.postgres),
            self._server(self.valkey),
        )

    def _make_processes(self) -> None:
        listeners, workers = self._amounts
        self.listeners = [
            self._process("smtp_listener", f"listener-{number}") for number in range(listeners)
        ]
        self.workers = [
            self._process("rqworker deliveries", f"worker-{number}") for number in range(workers)
        ]
        self.others = [
            self._process("rqworker maintenance", "maintenance"),
            self._process("scheduler", "scheduler"),
        ]

    def _process(self, command: str, name: str) -> Process:
        return Process(
            [sys.executable, str(self.root / "manage.py"), *command.split()],
            env=self.env,
            log=self.folder / f"{name}.log",
            root=self.root,
        )

    def _server(self, server: EmbeddedPostgres | EmbeddedValkey) -> Process:
        server.prepare()
        log, who = self.folder / f"{server.name}.log", account() or "-"
        return Process(
            server.command(), env=self.env, log=log, account=who, stop_signal=server.stop_signal
        )

    @property
    def processes(self) -> list[Process]:
        return [*self.listeners, *self.workers, *self.others]

    def __enter__(self) -> Self:
        try:
            self.valkey_process.start_until(self.valkey.is_ready)
            self.postgres_process.start_until(self.postgres.is_ready)
            for process in self.processes:
                process.start()
            wait_until(self.is_listening, "the listener answers", 120)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.ask_to_stop()
        for process in (*self.processes, self.valkey_process, self.postgres_process):
            process.stop()
        for folder in (runtime_folder(self.data), self.folder):
            shutil.rmtree(folder, ignore_errors=True)

    def upgrade(self, root: Path) -> None:
        """Move to the code of another tree by the steps of docs/operations.md: `setup` while the
        old code serves, then one process after the other.
        """
        before = self.processes
        self.root = root
        self.manage("setup")
        self._make_processes()
        for old, new in zip(before, self.processes, strict=True):
            old.stop()
            new.start()
        wait_until(self.is_listening, "the listener answers", 120)

    def manage(self, *words: str) -> str:
        """Return what `manage.py` prints; its failure is the test's."""
        ran = subprocess.run(
            [sys.executable, "manage.py", *words],
            env=self.env,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert ran.returncode == 0, f"manage.py {' '.join(words)}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def manage_json(self, *words: str) -> Any:
        return json.loads(self.manage(*words, "--json"))

    @contextmanager
    def trusting(self, network: str) -> Iterator[None]:
        """Trust a network for a while: whoever connects from there needs neither AUTH nor TLS."""
        name = f"net-{uuid.uuid4().hex[:8]}"
        about = ("--project", "shop", "--name", name)
        self.manage("credential", "create", *about, "--kind", "network", "--network", network)
        time.sleep(KEPT)
        try:
            yield
        finally:
            self.manage("credential", "revoke", name, "--project", "shop")
            time.sleep(KEPT)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url, autocommit=True, connect_timeout=5) as connection:
            return connection.execute(sql, values).fetchall()

    @cached_property
    def dkim_record(self) -> tuple[str, str]:
        """The name and the text of the TXT record that holds the domain's public key."""
        [record] = [
            each
            for each in self.manage_json("domain", "show", SENDER)["records"]
            if each["purpose"] == "dkim"
        ]
        return record["name"], record["value"]

    def is_listening(self) -> bool:
        for process in self.listeners:
            assert process.running is None or process.running.poll() is None, (
                process.log.read_text()
            )
        return answers("127.0.0.1", self.mx)

    def client(self, *, implicit_tls: bool = False, timeout: float = 20) -> smtplib.SMTP:
        """Return an app's session, under TLS and logged in."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connected: smtplib.SMTP
        if implicit_tls:
            connected = smtplib.SMTP_SSL(
                "127.0.0.1", self.submissions, timeout=timeout, context=context
            )
        else:
            connected = smtplib.SMTP("127.0.0.1", self.submission, timeout=timeout)
        try:
            if not implicit_tls:
                connected.starttls(context=context)
            connected.login(*self.login)
        except BaseException:
            connected.close()
            raise
        return connected

    def trace(self, recipient: str) -> Any:
        """Return the only message to this recipient, as `trace` shows it."""
        return self.manage_json("trace", recipient)

    def wait_for_state(self, recipient: str, state: str, seconds: float = 30.0) -> Any:
        """Return the recipient's trace once it is in this state, as the `trace` command gives
        it.
        """
        look = "SELECT state FROM deliveries_delivery WHERE recipient = %s"
        try:
            wait_until(
                lambda: self.query(look, recipient) == [(state,)],
                f"{recipient} is {state}",
                seconds,
            )
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.trace(recipient)}") from error
        return self.trace(recipient)
