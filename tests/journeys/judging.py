"""Sends the same messages to the same receivers by Postfix and by Ekiden, and tells what became of
each.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import shutil
import smtplib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.fakes.mx import FakeMx
from tests.fakes.mx_records import Received
from tests.journeys import peers
from tests.journeys.receivers import BOUNCED, DEFERRED, DELIVERED, RECEIVERS, Receiver, certificates
from tests.journeys.rig import SENDER, Rig

CLIENTS = ("postfix", "ekiden")
NETWORKS = {"postfix": "127.4", "ekiden": "127.5"}
TEXT = "plain\r\n.\r\n..dot\r\n\r\nFrom here on\r\nthe end\r\n"
BODIES = {
    "plain": TEXT.encode(),
    "eight": f"{TEXT}駅伝 Grüße\r\n".encode(),
    "large": TEXT.encode() + b"".join(b"%06d %b\r\n" % (line, b"x" * 60) for line in range(1500)),
    "huge": TEXT.encode() + b"".join(b"%06d %b\r\n" % (line, b"y" * 60) for line in range(15_000)),
    "two": TEXT.encode(),
}
HEADER = (
    "From: Shop <shop@{sender}>\r\nTo: {to}\r\nSubject: {name}\r\n"
    "Message-ID: <{token}@shop.test>\r\n"
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\n"
)
MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/lib
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = client.test
inet_protocols = ipv4
inet_interfaces = loopback-only
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
alias_database =
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_tls_security_level = may
disable_dns_lookups = yes
transport_maps = texthash:{folder}/transport
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 3s
smtp_connect_timeout = 4s
smtp_helo_timeout = 8s
smtp_mail_timeout = 4s
smtp_rcpt_timeout = 4s
smtp_data_init_timeout = 4s
smtp_data_done_timeout = 8s
smtp_data_xfer_timeout = 8s
"""
MASTER_CF = peers.MASTER_CF + "discard unix - - n - - discard\n"
STATUS = re.compile(r"to=<([^>]+)>.* status=(sent|deferred|bounced)")
FATES = {"sent": DELIVERED, "deferred": DEFERRED, "bounced": BOUNCED}


class Postfix(peers.MailServer):
    """A client of these receivers, which a table leads to; the reports of its bounces go
    nowhere.
    """

    def __init__(self, address: str, port: int, transports: str) -> None:
        super().__init__(address, port, "client.test")
        self._transports = transports

    def command(self, rig: Rig) -> list[str]:
        for name in ("queue", "lib"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "lib", "postfix")
        (self.folder / "transport").write_text(self._transports)
        (self.folder / "main.cf").write_text(MAIN_CF.format(folder=self.folder))
        (self.folder / "master.cf").write_text(
            MASTER_CF.format(address=self.address, port=self.port)
        )
        return ["/usr/sbin/postfix", "-c", str(self.folder), "start-fg"]

    def __exit__(self, *_: object) -> None:
        subprocess.run(["/usr/sbin/postfix", "-c", str(self.folder), "stop"], capture_output=True)
        super().__exit__()

    def fates(self) -> dict[str, str]:
        """Return the last word on each recipient."""
        log = (self.folder / "log").read_text(errors="replace")
        words = STATUS.findall(log)
        return {
            recipient: FATES[status]
            for recipient, status in words
            if recipient.endswith(".postfix.test")
        }


class Hosts:
    """All receivers, once for each client, on one thread; `taken` is the ledger."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port = port
        contexts = certificates(folder)
        self.made: dict[tuple[str, str], list[FakeMx]] = {}
        for number, receiver in enumerate(RECEIVERS, 1):
            for client in CLIENTS:
                self.made[client, receiver.name] = [
                    FakeMx(extensions=receiver.offers, tls=contexts.get(receiver.tls), host=address,
                        port=port,
                           window=receiver.window)
                    for address in addresses(client, number, receiver)
                ]  # fmt: skip
                if not receiver.is_dead:
                    receiver.script(self.made[client, receiver.name][0])

    def taken(self, client: str, receiver: str) -> dict[str, list[Received]]:
        """Return what came, by recipient."""
        found: dict[str, list[Received]] = {}
        for mx in self.made[client, receiver]:
            for message in mx.messages:
                for recipient in message.recipients:
                    found.setdefault(recipient, []).append(message)
        return found

    @contextmanager
    def running(self) -> Iterator[None]:
        ready, self._stop = threading.Event(), asyncio.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._run(ready)), daemon=True)
        thread.start()
        assert ready.wait(20), "the scripted hosts did not start"
        yield
        self._loop.call_soon_threadsafe(self._stop.set)
        thread.join(20)

    async def _run(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            for number, receiver in enumerate(RECEIVERS, 1):
                for client in CLIENTS:
                    for address, mx in zip(
                        addresses(client, number, receiver),
                        self.made[client, receiver.name],
                        strict=True,
                    ):
                        if not (
                            receiver.is_dead and address == addresses(client, number, receiver)[0]
                        ):
                            await stack.enter_async_context(mx)
            ready.set()
            await self._stop.wait()


def addresses(client: str, number: int, receiver: Receiver) -> list[str]:
    return [
        f"{NETWORKS[client]}.{host}.{number}" for host in range(1, 3 if receiver.has_second else 2)
    ]


def domain(client: str, receiver: Receiver) -> str:
    return f"{receiver.name.replace('.', '-')}.{client}.test"


def zones() -> dict[str, Any]:
    """Return the zones of Ekiden's domains."""
    found: dict[str, Any] = {}
    for number, receiver in enumerate(RECEIVERS, 1):
        name = domain("ekiden", receiver)
        hosts = addresses("ekiden", number, receiver)
        found[name] = {"MX": [(10 * at, f"mx{at}.{name}") for at in range(1, len(hosts) + 1)]}
        found |= {f"mx{at}.{name}": {"A": [address]} for at, address in enumerate(hosts, 1)}
    return found


def transports(port: int) -> str:
    """Return the same for Postfix."""
    lines = [f"{SENDER} discard:"]
    for number, receiver in enumerate(RECEIVERS, 1):
        hops = ", ".join(
            f"[{address}]:{port}" for address in addresses("postfix", number, receiver)
        )
        lines.append(f"{domain('postfix', receiver)} smtp:{hops}")
    return "\n".join(lines) + "\n"


def recipients(client: str, receiver: Receiver, message: str) -> list[str]:
    names = ("taken", "refused") if message == "two" else (message,)
    return [f"{name}@{domain(client, receiver)}" for name in names]


def send_all(client: str, session: smtplib.SMTP) -> None:
    """Hand in every message for every receiver."""
    for receiver in RECEIVERS:
        for message in receiver.messages:
            to = recipients(client, receiver, message)
            header = HEADER.format(
                sender=SENDER,
                to=", ".join(to),
                name=message,
                token=f"{receiver.name}-{message}-{client}",
            )
            session.sendmail(
                f"shop@{SENDER}", to, header.encode() + BODIES[message], ["BODY=8BITMIME"]
            )


def body_of(content: bytes) -> bytes:
    """Undo a transfer encoding that a host without 8BITMIME needs: return the body as the author
    wrote it.
    """
    parsed = email.message_from_bytes(content, policy=email.policy.SMTP)
    if parsed["Content-Transfer-Encoding"] in ("quoted-printable", "base64"):
        decoded: Any = parsed.get_payload(decode=True)  # bytes, as there is one part
        return bytes(decoded)
    return content.partition(b"\r\n\r\n")[2]


def wait_for_all(
    look: Callable[[], dict[str, str]], expected: dict[str, str], seconds: float
) -> dict[str, str]:
    """Wait for the expected fates; return them once they are so, or when the time is over."""
    until = time.monotonic() + seconds
    while (fates := look()) != expected and time.monotonic() < until:
        time.sleep(0.2)
    return fates


def expected_of(client: str, receiver: Receiver) -> dict[str, str]:
    """Return what becomes of each recipient."""
    names = (
        name for message in receiver.messages for name in recipients(client, receiver, message)
    )
    return {
        name: BOUNCED if name.startswith("refused@") else getattr(receiver, client)
        for name in names
    }


def expected() -> dict[str, str]:
    return {
        k: v
        for receiver in RECEIVERS
        for client in CLIENTS
        for k, v in expected_of(client, receiver).items()
    }


def assert_faithful(content: bytes, name: str) -> None:
    """Check that the author's fields and body came as they were handed in."""
    message = "two" if name in ("taken", "refused") else name
    parsed = email.message_from_bytes(
        content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", policy=email.policy.SMTP
    )
    assert (parsed["From"], parsed["Subject"]) == (f"Shop <shop@{SENDER}>", message)
    assert body_of(content) == BODIES[message]
