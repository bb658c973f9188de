"""Apps that hand in mail under a ledger of their own, which alone says what the service has
promised.
"""

from __future__ import annotations

import os
import random
import smtplib
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self

from tests.journeys.rig import SENDER

APPS = 4
PAUSE = 0.02  # seconds between two messages of one app
PATIENCE = 60.0  # seconds for which an app tries one mail


class Takes(Protocol):
    """A service under test that gives out sessions of an app, logged in."""

    def client(self) -> smtplib.SMTP: ...


class Load:
    """`with Load(rig, ledger, domains) as load`: mail flows until the block ends.

    As an MTA does, an app that hears no 250 tries the very same mail again, on a new connection.
    `sent` is what it tried, `accepted` what was answered 250, both by recipient; the ledger file
    has each step, on disk before it is taken.
    """

    def __init__(
        self, rig: Takes, ledger: Path, domains: list[str], *, sender: str = SENDER
    ) -> None:
        self.sent: dict[str, bytes] = {}
        self.accepted: set[str] = set()
        self.tried_at: dict[str, float] = {}  # monotonic, for the first time
        self.accepted_at: dict[str, float] = {}
        self.troubles: list[str] = []
        self.given_up: list[str] = []  # what an app was told that need not try again
        self._rig, self._domains, self._sender = rig, domains, sender
        self._ledger = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.run = uuid.uuid4().hex[:8]
        self._stopping = threading.Event()
        self._apps = [threading.Thread(target=self._app, args=(number,)) for number in range(APPS)]

    def __enter__(self) -> Self:
        for app in self._apps:
            app.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for app in self._apps:
            app.join()
        os.close(self._ledger)

    def _note(self, word: str, recipient: str) -> None:
        os.write(self._ledger, f"{time.time():.3f} {word} {recipient}\n".encode())
        os.fsync(self._ledger)

    def _app(self, app: int) -> None:
        client: smtplib.SMTP | None = None
        number = 0
        while not self._stopping.is_set():
            recipient = f"{self.run}-{app}-{number}@{self._domains[number % len(self._domains)]}"
            self.sent[recipient] = mail(recipient, self._sender)
            self.tried_at[recipient] = time.monotonic()
            self._note("sending", recipient)
            client = self._hand_in(client, recipient)
            number += 1
            time.sleep(PAUSE)
        if client is not None:
            client.close()

    def _hand_in(self, client: smtplib.SMTP | None, recipient: str) -> smtplib.SMTP | None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                client = client or self._rig.client()
                client.sendmail(f"shop@{self._sender}", [recipient], self.sent[recipient])
            except (smtplib.SMTPException, OSError) as error:
                self.troubles.append(repr(error))
                self.given_up += [repr(error)] if is_final(error) else []
                self._note("unknown", recipient)
                if client is not None:
                    with suppress(OSError):
                        client.close()
                client = None
                time.sleep(0.2)
            else:
                self._note("accepted", recipient)
                self.accepted.add(recipient)
                self.accepted_at[recipient] = time.monotonic()
                return client
        return client


def is_final(error: Exception) -> bool:
    """Tell if an app that hears this gives its mail up: a refusal, and none that passes."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
    else:
        codes = [error.smtp_code] if isinstance(error, smtplib.SMTPResponseException) else []
    return any(not 400 <= code < 500 for code in codes)


HEAD = """\
From: shop@{sender}
To: {recipient}
Subject: order
Date: Tue, 24 Nov 2026 23:00:00 +0000
Message-ID: <{recipient}>

"""


def mail(recipient: str, sender: str = SENDER) -> bytes:
    """Write a small mail of which every byte is looked for at the sink."""
    lines = [
        random.choice((b"", b".", b"..dots", b"text " * random.randrange(1, 20)))
        for _ in range(random.randrange(1, 40))
    ]
    head = HEAD.format(sender=sender, recipient=recipient).replace("\n", "\r\n")
    return head.encode() + b"\r\n".join(lines) + b"\r\n"
