"""The sandbox MX: a real SMTP server that keeps what it takes for the portal to show, and plays
receivers' answers.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.bounces.report_text import ReportedFailure, compose
from deliveries.message.headers import split
from deliveries.smtp.connection import ConnectionFailed, Endpoint, Mail, TlsLevel
from deliveries.smtp.opening import open_with_fallback
from domains.foundation.process import systemd
from domains.foundation.process.own_address import own_address
from smtp_listener.protocol.tls import certificate
from smtp_listener.sandbox import complaint
from smtp_listener.sandbox.answers import (
    BOUNCED_AFTER,
    GREYLISTED_FOR,
    SLOW,
    Play,
    SandboxRule,
    rule_for,
)
from smtp_listener.sessions.server import bound

logger = logging.getLogger(__name__)

KEPT = 500
KEPT_BYTES = 268_435_456
PRUNE_EVERY = 50  # messages, or
PRUNE_EVERY_BYTES = 33_554_432
MOST_BYTES = 33_554_432  # of one message for all its recipients, each of whom has a row
HOSTNAME = "sandbox.invalid"
NO_ID = UUID(int=0)

INSERT = """
INSERT INTO smtp_listener_sandboxmessage (received_at, mail_from, recipient, tls, data)
SELECT now(), %(mail_from)s, recipient, %(tls)s, %(data)b
    FROM unnest(%(recipients)s::text[]) AS recipient
"""
PRUNE = """
DELETE FROM smtp_listener_sandboxmessage WHERE id NOT IN (
    SELECT id FROM (
        SELECT id, sum(octet_length(data)) OVER (ORDER BY id DESC) AS bytes
        FROM smtp_listener_sandboxmessage ORDER BY id DESC LIMIT %(kept)s
    ) AS newest WHERE bytes <= %(bytes)s)
"""


class SandboxSession(SMTP):
    """aiosmtpd as it is shipped, but for its habit of telling strangers our class names."""

    async def handle_exception(self, error: Exception) -> str:
        logger.exception("the sandbox session failed")
        return "451 4.3.0 Something is wrong here, try again later"


class SandboxHandler:
    """aiosmtpd's hooks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._first_tries: dict[tuple[str, str], float] = {}
        self._reports: set[asyncio.Task[None]] = set()
        self._count = self._bytes = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        rule = rule_for(address)
        if rule is not None and rule.play is Play.SLOWLY:
            await asyncio.sleep(SLOW)
        if (
            rule is not None
            and rule.stage == "RCPT"
            and rule.reply
            and self._applies(rule, address)
        ):
            return self._refuse(server, rule)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    def _applies(self, rule: SandboxRule, address: str) -> bool:
        if rule.play is not Play.FIRST_TRY:
            return True
        now = time.monotonic()
        if len(self._first_tries) > 100_000:
            self._first_tries.clear()
        return (
            now - self._first_tries.setdefault((rule.name, address.lower()), now) < GREYLISTED_FOR
        )

    def _refuse(self, server: SMTP, rule: SandboxRule) -> str:
        if rule.reply.startswith("421") and server.transport is not None:
            server.loop.call_later(0.1, server.transport.close)
        return rule.reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        rules = [
            rule
            for rule in map(rule_for, envelope.rcpt_tos)
            if rule is not None and rule.stage == "DATA"
        ]
        for rule in rules:
            if rule.reply:
                return rule.reply
        await self._keep(session, envelope)
        if any(rule.play is Play.DROP for rule in rules) and server.transport is not None:
            # aiosmtpd names the base class of what it holds
            server.transport.abort()  # type: ignore[attr-defined]
        for rule in rules:
            if rule.play in (Play.LATE_BOUNCE, Play.COMPLAINT):
                self._report_later(envelope, rule.play)
        return "250 2.0.0 OK taken by the sandbox"

    async def _keep(self, session: Session, envelope: Envelope) -> None:
        """Keep a message, or log that it was not kept.

        A sandbox that cannot write still answers: the mail path is what is tried here.
        """
        tls = session.ssl.get("ssl_object") if session.ssl else None
        given = {
            "mail_from": envelope.mail_from or "",
            "recipients": envelope.rcpt_tos,
            "tls": tls.version() if tls else "",
            "data": (envelope.content or b"")[: MOST_BYTES // max(len(envelope.rcpt_tos), 1)],
        }
        try:
            await self._database.fetch(INSERT, given)
            self._count += 1
            self._bytes += len(given["data"]) * len(envelope.rcpt_tos)
            if self._count >= PRUNE_EVERY or self._bytes >= PRUNE_EVERY_BYTES:
                self._count = self._bytes = 0
                await self._database.fetch(PRUNE, {"kept": KEPT, "bytes": KEPT_BYTES})
        except DatabaseUnavailable as error:
            logger.warning("a sandbox message was not kept: %s", error)

    def _report_later(self, envelope: Envelope, play: Play) -> None:
        if not envelope.mail_from or not isinstance(envelope.content, bytes):
            return
        report = asyncio.create_task(
            self._report(play, envelope.mail_from, envelope.rcpt_tos[0], envelope.content)
        )
        self._reports.add(report)
        report.add_done_callback(self._reports.discard)

    async def _report(self, play: Play, return_path: str, recipient: str, content: bytes) -> None:
        await asyncio.sleep(BOUNCED_AFTER)
        if play is Play.COMPLAINT:
            report = complaint.compose(
                return_path, recipient, content, hostname=HOSTNAME, now=datetime.now(UTC)
            )
            await send_report(
                f"abuse@{settings.EKIDEN_HOSTNAME}", report, mail_from=f"feedback@{HOSTNAME}"
            )
        else:
            await send_report(return_path, _late_bounce(return_path, recipient, content))


def _late_bounce(return_path: str, recipient: str, content: bytes) -> bytes:
    now = datetime.now(UTC)
    failure = ReportedFailure(
        delivery=NO_ID, message=NO_ID, sender=return_path, recipient=recipient, orcpt="", envid="",
        accepted_at=now,
        ended_at=now, has_expired=False, host=HOSTNAME, code=550, enhanced="5.1.1",
        text="User unknown, found out later",
        content=split(content)[0], is_whole=False,
    )  # fmt: skip
    return compose(failure, hostname=HOSTNAME, now=now)


async def send_report(to: str, report: bytes, *, mail_from: str = "") -> None:
    """Send a report to our own port for returning mail, as a stranger's server would."""
    endpoint = Endpoint(settings.EKIDEN_HOSTNAME, own_address(), settings.EKIDEN_MX_PORT)
    try:
        connection = await open_with_fallback(
            endpoint, source=None, ehlo_name=HOSTNAME, tls=TlsLevel.OPPORTUNISTIC
        )
    except ConnectionFailed as error:
        logger.warning("the sandbox could not send its report: %s", error)
        return
    outcome = await connection.send(Mail(mail_from, to, report, eight_bit=not report.isascii()))
    logger.info("event=sandbox-report to=<%s> outcome=%s", to, type(outcome).__name__.lower())
    await connection.close()


async def start(database: Database) -> asyncio.Server:
    """Start the server, for this machine only; raise `OSError` where its port is taken."""
    loop = asyncio.get_running_loop()
    handler = SandboxHandler(database)
    context = tls_context()
    return await loop.create_server(
        lambda: session_for(handler, context, loop),
        sock=bound(own_address(), settings.EKIDEN_SANDBOX_PORT),
    )


def tls_context() -> ssl.SSLContext:
    return certificate("", "", data=settings.EKIDEN_DATA, hostname=settings.EKIDEN_HOSTNAME).context


def session_for(
    handler: Any, context: ssl.SSLContext, loop: asyncio.AbstractEventLoop
) -> SandboxSession:
    return SandboxSession(
        handler,
        data_size_limit=settings.EKIDEN_MAX_MESSAGE_SIZE * 2,
        enable_SMTPUTF8=True,
        hostname=HOSTNAME,
        ident="Ekiden sandbox",
        tls_context=context,
        loop=loop,
    )


async def serve() -> None:
    """Run until SIGTERM or SIGINT."""
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    database = Database("ekiden sandbox")
    server = await start(database)
    logger.info(
        "event=listening ports=%r", f"sandbox {own_address()}:{settings.EKIDEN_SANDBOX_PORT}"
    )
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    systemd.ready(f"Listening at {own_address()}:{settings.EKIDEN_SANDBOX_PORT}")
    await systemd.alive_until(stopping)
    systemd.stopping("Closing")
    server.close()
    with suppress(DatabaseUnavailable):
        await database.close()


def run() -> None:
    uvloop.run(serve())
