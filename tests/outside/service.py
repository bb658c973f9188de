"""The service that tests attack from outside: `./ekiden up` in its sandbox, an app's login, and
ways to knock and to judge.
"""

import re
import smtplib
import socket
import ssl
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache, cached_property
from typing import Any

import psycopg

from relay_portal.servers.embedded import postgres_url
from tests.journeys.rig import answers, wait_until
from tests.journeys.service import Up, up

DOMAIN = "app.test"
# the sandbox takes all mail; its table of addresses is in docs/sandbox.md
RECIPIENT = "someone@example.com"
HOST, HOSTNAME = "127.0.0.1", "relay.test"


@cache
def careless() -> ssl.SSLContext:
    """Return a client's TLS that believes the self-signed certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Service:
    """What a test may use.

    `hostname`, `data` (its EKIDEN_DATA), `submission`, `submissions`, `mx`, `portal` (ports at
    127.0.0.1), `login` (user name and secret of an app that may send as anything@`DOMAIN`). A
    source is the loopback address that a client comes from.
    """

    def __init__(self, running: Up) -> None:
        self.running = running
        self.data = running.data
        self.hostname = running.env["EKIDEN_HOSTNAME"]
        ports = {
            name: int(running.env[f"EKIDEN_{name}_PORT"])
            for name in ("SUBMISSION", "SUBMISSIONS", "MX", "PORTAL")
        }
        self.submission, self.submissions, self.mx, self.portal = ports.values()
        self.url = f"http://{HOST}:{self.portal}"

    # --- what an operator does --------------------------------------------------------------------
    def command(self, *words: str) -> str:
        """Return what `./ekiden words` prints; its failure is the test's."""
        ran = self.running.run(*words)
        assert ran.returncode == 0, f"ekiden {' '.join(words)}: {ran.stdout}{ran.stderr}"
        return str(ran.stdout)

    def credential(self, name: str, domain: str = DOMAIN, *options: str) -> tuple[str, str]:
        """Make another credential in the project of the tests; its user name and secret."""
        shown = self.running.json(
            "credential",
            "create",
            "--project",
            "outside",
            "--name",
            name,
            "--domain",
            domain,
            *options,
        )
        return shown["username"], shown["password"]

    @cached_property
    def login(self) -> tuple[str, str]:
        self.command("project", "create", "outside")
        self.command("domain", "add", DOMAIN, "--project", "outside", "--assume-verified")
        return self.credential("app")

    # --- what a client does -----------------------------------------------------------------------
    def connect(self, port: int, source: str = HOST, timeout: float = 20) -> socket.socket:
        """Return a bare connection; nothing is said or read yet."""
        return socket.create_connection((HOST, port), timeout=timeout, source_address=(source, 0))

    def smtp(self, port: int, source: str = HOST, timeout: float = 20) -> smtplib.SMTP:
        """Return a session that was greeted (and said EHLO under TLS at a submission port), not
        logged in; raises as smtplib does.
        """
        here = (source, 0)
        if port == self.submissions:
            session: smtplib.SMTP = smtplib.SMTP_SSL(
                HOST, port, timeout=timeout, source_address=here, context=careless()
            )
        else:
            session = smtplib.SMTP(HOST, port, timeout=timeout, source_address=here)
        try:
            if port == self.submission:
                session.starttls(context=careless())
            session.ehlo()
        except BaseException:
            session.close()
            raise
        return session

    @contextmanager
    def app(self, source: str = HOST, login: tuple[str, str] | None = None, port: int = 0):
        """Yield a session of an app, logged in."""
        session = self.smtp(port or self.submission, source)
        try:
            session.login(*(login or self.login))
            yield session
        finally:
            with suppress(smtplib.SMTPException, OSError):
                session.quit()
            session.close()

    def send(
        self,
        to: str = RECIPIENT,
        source: str = HOST,
        login: tuple[str, str] | None = None,
        **fields: str,
    ) -> str:
        """Send one message as the app does; returns its queue id."""
        message = EmailMessage()
        for name, value in (
            {"From": f"app@{DOMAIN}", "To": to, "Subject": "From outside"} | fields
        ).items():
            message[name] = value
        message.set_content("A message of the app.\n")
        with self.app(source, login) as session:
            session.mail(message["From"])
            assert session.rcpt(to)[0] == 250
            code, said = session.data(message.as_bytes(policy=SMTP))
        assert code == 250, said
        return str(re.findall(rb"[0-9a-f-]{36}", said)[0], "ascii")

    def to_mx(
        self, data: bytes, to: str, sender: str = "", source: str = HOST
    ) -> tuple[int, bytes]:
        """Hand one message in at the MX port, as a stranger does: the first refusal, or the answer
        to its content.
        """
        with self.smtp(self.mx, source) as session:
            for code, said in (session.mail(sender), session.rcpt(to)):
                if code >= 400:
                    return code, said
            return session.data(data)

    # --- how a test judges ------------------------------------------------------------------------
    @property
    def database_url(self) -> str:
        """For judging only: nothing that a test does may go this way."""
        return postgres_url(self.data)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True, connect_timeout=10) as connection:
            return connection.execute(sql, values).fetchall()

    def log(self) -> str:
        """Return what all processes have written so far; every mail event is a line of it."""
        logs = sorted((self.data / "log").glob("*.log"))
        return "".join(log.read_text(errors="replace") for log in logs)

    def wait_for(self, look, what: str, seconds: float = 30.0) -> Any:
        """Return what `look` returns once that is true."""
        return wait_until(look, what, seconds)

    def is_listening(self) -> bool:
        return answers(HOST, self.submission) and answers(HOST, self.mx)


@contextmanager
def started(**settings: str):
    """Yield a service of its own with these settings; all of it is gone afterwards."""
    with up(**{"EKIDEN_HOSTNAME": HOSTNAME} | settings) as running:
        service = Service(running)
        wait_until(service.is_listening, "the listener answers")
        assert service.login
        yield service


__all__ = ["DOMAIN", "HOST", "RECIPIENT", "Service", "careless", "started"]
