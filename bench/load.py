"""A load generator: sessions that submit numbered messages over TLS with AUTH, as fast as they are
answered or at a rate.

Run as `python -m bench.load PLAN FILE`, the plan being JSON of `Plan`; the notes go to FILE, see
`bench.notes`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench import notes

LINE = b"Your order is on its way. The quick brown fox jumps over the lazy dog 0123456789.\r\n"


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` is in messages a second over all sessions, 0 for as fast as they are answered; `size`
    in bytes, headers included.

    After `seconds` no more are submitted, 0 for no such end. Without a `username` there is no AUTH.
    `first` is the first number: what was submitted before with a number may not be again, since it
    would be taken for the same message.
    """

    port: int
    username: str
    password: str
    sender: str
    domains: list[str]
    messages: int
    sessions: int
    size: int
    rate: float = 0.0
    seconds: float = 0.0
    first: int = 0


class UnexpectedReply(Exception):
    """The service said something else than it should."""


class LoadSession:
    """One kept-open connection."""

    def __init__(self, plan: Plan, noted: notes.Submissions) -> None:
        self._plan = plan
        self._noted = noted
        self._body = LINE * (plan.size // len(LINE) + 1)
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._plan.port, limit=1 << 20
        )
        await self._expect(220)
        await self._say(b"EHLO bench.invalid\r\n", 250)
        await self._say(b"STARTTLS\r\n", 220)
        context = ssl.create_default_context()
        # The service's own is self-signed.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await self._writer.start_tls(context)
        await self._say(b"EHLO bench.invalid\r\n", 250)
        if not self._plan.username:
            return
        proof = base64.b64encode(f"\0{self._plan.username}\0{self._plan.password}".encode())
        await self._say(b"AUTH PLAIN %b\r\n" % proof, 235)

    async def submit(self, number: int) -> None:
        plan = self._plan
        domain = plan.domains[number % len(plan.domains)]
        envelope = f"MAIL FROM:<{plan.sender}>\r\nRCPT TO:<user{number}@{domain}>\r\nDATA\r\n"
        self._writer.write(envelope.encode())
        for code in (250, 250, 354):
            await self._expect(code)
        self._writer.write(self._message(number, domain))
        await self._writer.drain()
        self._noted.sent[number] = time.monotonic_ns()
        await self._expect(250)
        self._noted.accepted[number] = time.monotonic_ns()

    def _message(self, number: int, domain: str) -> bytes:
        head = (
            f"From: Shop <{self._plan.sender}>\r\nTo: user{number}@{domain}\r\n"
            f"Subject: Your order {number}\r\n"
            f"Message-ID: <{number}.{self._plan.port}@bench.invalid>\r\n"
            "Date: Wed, 25 Nov 2026 00:00:00 +0000\r\n"
            f"{notes.HEADER.decode()}{number}\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n\r\n"
        ).encode()
        return (
            head + self._body[: max(self._plan.size - len(head), 1)].rstrip(b"\r\n") + b"\r\n.\r\n"
        )

    async def close(self) -> None:
        self._writer.write(b"QUIT\r\n")
        self._writer.close()

    async def _say(self, line: bytes, code: int) -> None:
        self._writer.write(line)
        await self._expect(code)

    async def _expect(self, code: int) -> None:
        while True:
            line = await self._reader.readline()
            if line[3:4] != b"-":
                break
        if not line.startswith(str(code).encode()):
            raise UnexpectedReply(
                line.decode("utf-8", "replace").strip() or "the connection was closed"
            )


async def run(plan: Plan) -> notes.Submissions:
    noted = notes.Submissions(opened=time.monotonic_ns())
    sessions = [LoadSession(plan, noted) for _ in range(plan.sessions)]
    await asyncio.gather(*(session.open() for session in sessions))
    numbers, begun = iter(range(plan.first, plan.first + plan.messages)), time.monotonic()
    await asyncio.gather(*(_work(session, plan, numbers, begun, noted) for session in sessions))
    await asyncio.gather(*(session.close() for session in sessions))
    return noted


async def _work(
    session: LoadSession, plan: Plan, numbers: Iterator[int], begun: float, noted: notes.Submissions
) -> None:
    for number in numbers:
        if plan.seconds and time.monotonic() - begun >= plan.seconds:
            return
        if plan.rate:
            await asyncio.sleep(
                max(begun + (number - plan.first) / plan.rate - time.monotonic(), 0)
            )
        try:
            await session.submit(number)
        except (UnexpectedReply, OSError) as error:
            # The session is lost; what it had in hand is counted as refused.
            noted.refusals.append(str(error))
            return


if __name__ == "__main__":
    notes.write(Path(sys.argv[2]), uvloop.run(run(Plan(**json.loads(sys.argv[1])))))
