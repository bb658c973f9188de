"""A scripted MX on loopback: plays any receiver, and notes exactly what it was told.

    async with FakeMx() as mx:
        mx.on("RCPT", "550 5.1.1 no such user")            # from now on
        mx.on("RCPT", "450 4.2.0 later", "250 2.1.5 ok")   # once, then the last one for ever
        mx.on("BODY", Drop())                              # the moments: GREETING EHLO HELO
        ...                                                # STARTTLS HANDSHAKE MAIL RCPT DATA
        ...                                                # BODY BDAT RSET NOOP QUIT
        assert mx.messages[0].content == b"..."

An answer is a str (a reply; its lines are given their codes), bytes (sent as they are), an action
of `tests/fakes/mx_actions.py`, a list of these (one after the other), or a callable that takes the
command's argument and returns one of them, or None for the usual reply. BODY is the answer to a
whole message, by DATA or by BDAT. `async with` and `with` (on a thread of its own) both work.
"""

import asyncio
import socket
import ssl
import threading
from collections import defaultdict, deque
from types import TracebackType

from tests.fakes.mx_actions import (
    Answer,
)
from tests.fakes.mx_records import Received, SessionRecord
from tests.fakes.mx_session import MxSession

EXTENSIONS = (
    "PIPELINING",
    "SIZE 52428800",
    "8BITMIME",
    "SMTPUTF8",
    "ENHANCEDSTATUSCODES",
    "CHUNKING",
)
USUAL = {
    "GREETING": "220 mx.test ESMTP",
    "HELO": "250 mx.test",
    "STARTTLS": "220 2.0.0 go ahead",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go ahead",
    "BODY": "250 2.0.0 taken",
    "RSET": "250 2.0.0 ok",
    "NOOP": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}


class FakeMx:
    def __init__(
        self,
        *,
        extensions: tuple[str, ...] = EXTENSIONS,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        window: int = 0,
    ) -> None:
        """Prepare a server; with `tls` it offers STARTTLS (see tests.fakes.certificates).

        `window`: octets that are received before they are read.
        """
        self.extensions = extensions
        self.tls = tls
        self.host = host
        self.port = port
        self.sessions: list[SessionRecord] = []
        self.window = window
        self.current = 0
        self.peak = 0
        self._implicit_tls = implicit_tls
        self._script: dict[str, deque[Answer]] = defaultdict(deque)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server
        self._thread: threading.Thread | None = None

    def on(self, moment: str, *answers: Answer) -> None:
        """Set what to answer at `moment`, one after the other, across all sessions; the last one
        stays.
        """
        self._script[moment.upper()] = deque(answers)

    @property
    def messages(self) -> list[Received]:
        """In the order in which they were taken."""
        return sorted(
            (message for session in self.sessions for message in session.messages),
            key=lambda message: message.at,
        )

    @property
    def violations(self) -> list[str]:
        return [violation for session in self.sessions for violation in session.violations]

    @property
    def commands(self) -> list[str]:
        return [command for session in self.sessions for command in session.commands]

    @property
    def raw(self) -> bytes:
        return b"".join(session.raw for session in self.sessions)

    # --- on the caller's event loop ---
    async def __aenter__(self) -> "FakeMx":
        self._server = await asyncio.start_server(
            self._serve, self.host, self.port, limit=self.window or 65_536
        )
        if self.window:
            self._server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.window)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # lets the transports' last callbacks run

    # --- on a thread of its own ---
    def __enter__(self) -> "FakeMx":
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._host(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10), "the scripted MX did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _host(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self:
            ready.set()
            await self._stop.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.current += 1
        self.peak = max(self.peak, self.current)
        try:
            await MxSession(self, reader, writer).run()
        except asyncio.CancelledError:
            pass  # the test is over; passed on, asyncio would log it as an error of ours
        finally:
            self.current -= 1
            self._tasks.discard(task)

    def next_answer(self, moment: str, argument: str) -> Answer:
        answers = self._script[moment]
        answer = answers.popleft() if len(answers) > 1 else answers[0] if answers else None
        if callable(answer):
            answer = answer(argument)
        return self.usual(moment) if answer is None else answer

    def usual(self, moment: str) -> Answer:
        if moment == "EHLO":
            return "250 " + "\n".join(
                ("mx.test", *self.extensions, *(["STARTTLS"] if self.offers_tls else []))
            )
        return USUAL.get(moment, "500 5.5.1 unknown command")

    @property
    def offers_tls(self) -> bool:
        return self.tls is not None and not self._implicit_tls

    @property
    def has_implicit_tls(self) -> bool:
        return self._implicit_tls

    def has(self, keyword: str) -> bool:
        return any(extension.split()[0] == keyword for extension in self.extensions)
