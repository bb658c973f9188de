"""A scripted MX on loopback: plays any receiver, and notes exactly what it was told.

    async with FakeMx() as mx:
        mx.on("RCPT", "550 5.1.1 no such user")            # from now on
        mx.on("RCPT", "450 4.2.0 later", "250 2.1.5 ok")   # once, then the last one for ever
        mx.on("BODY", Drop())                              # the moments: GREETING EHLO HELO
        ...                                                # STARTTLS HANDSHAKE MAIL RCPT DATA
        ...                                                # BODY BDAT RSET NOOP QUIT
        assert mx.messages[0].content == b"..."

An answer is a str (a reply; its lines are given their codes), bytes (sent as they are), an action
below, a list of these (one after the other), or a callable that takes the command's argument and
returns one of them, or None for the usual reply. BODY is the answer to a whole message, by DATA or
by BDAT. `async with` and `with` (on a thread of its own) both work.
"""

import asyncio
import re
import socket
import ssl
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

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
BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)")


@dataclass(frozen=True)
class Drop:
    """Close the connection in the ordinary way (FIN)."""


@dataclass(frozen=True)
class Reset:
    """Close the connection by RST."""


@dataclass(frozen=True)
class Hang:
    """Say nothing more, ever, and keep the connection open."""


@dataclass(frozen=True)
class Freeze:
    """As Hang, and nothing is read any more either."""


@dataclass(frozen=True)
class TakeAndDrop:
    """For BODY: the message is taken, and its reply lost."""


@dataclass(frozen=True)
class Wait:
    """Think for so many seconds; in a list, before the answer."""

    seconds: float


@dataclass(frozen=True)
class Drip:
    """The reply byte by byte, with a pause after each."""

    text: str
    pause: float = 0.0


@dataclass(frozen=True)
class Flood:
    """`piece` so many times."""

    piece: bytes
    times: int


@dataclass(frozen=True)
class Discard:
    """Lose what the client has sent beyond this command, as a host does that offers PIPELINING and
    cannot; in a list, before the answer.
    """


@dataclass(frozen=True)
class Held:
    """The reply goes out together with the next one that is no `Held`."""

    text: str


Action = Drop | Reset | Hang | Freeze | TakeAndDrop | Wait | Drip | Flood | Discard | Held
Answer = str | bytes | Action | list["Answer"] | Callable[[str], Any] | None


@dataclass
class Received:
    """One accepted message; `content` is what the sender meant, dots removed."""

    reverse_path: str
    recipients: list[str]
    content: bytes
    mail_parameters: list[str]
    is_tls: bool
    is_chunked: bool
    at: float = field(default_factory=time.monotonic)


@dataclass
class SessionRecord:
    """All that one client did; `raw` are its bytes, those under TLS deciphered."""

    peer: str
    commands: list[str] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)
    violations: list[str] = field(default_factory=list)
    messages: list[Received] = field(default_factory=list)
    tls: str = ""
    server_name: str | None = None
    is_open: bool = True
    ended_by: str = ""  # "quit", "client" (hung up), "us"


class _Gone(Exception):
    """The session is over."""


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
        """`tls`: STARTTLS is offered with it (see tests.fakes.certificates).

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
        """What to answer at `moment`, one after the other, across all sessions; the last one
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
            await _Session(self, reader, writer).run()
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


class _Session:
    """One client: reads commands strictly, answers by the script."""

    def __init__(
        self, mx: FakeMx, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._mx = mx
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        self._held = b""
        self._is_esmtp = False
        self.record = SessionRecord(peer=writer.get_extra_info("peername")[0])
        mx.sessions.append(self.record)
        self._forget()

    def _forget(self) -> None:
        self._reverse_path: str | None = None
        self._parameters: list[str] = []
        self._recipients: list[str] = []
        self._chunks = b""

    async def run(self) -> None:
        try:
            if self._mx.has_implicit_tls:
                await self._start_tls()
            await self._say("GREETING", "")
            while True:
                await self._command()
        except (_Gone, OSError):
            pass
        finally:
            self.record.is_open = False
            self._writer.close()

    # --- hearing ---
    async def _more(self) -> None:
        data = await self._reader.read(65_536)
        if not data:
            self.record.ended_by = self.record.ended_by or "client"
            raise _Gone
        self.record.raw += data
        self._buffer += data

    async def _until(self, end: bytes) -> bytes:
        seen = 0
        while (at := self._buffer.find(end, seen)) < 0:
            seen = max(0, len(self._buffer) - len(end) + 1)
            await self._more()
        return self._cut(at + len(end))

    async def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            await self._more()
        return self._cut(size)

    def _cut(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _check(self, is_right: object, violation: str) -> None:
        if not is_right:
            self.record.violations.append(violation)

    # --- commands ---
    async def _command(self) -> None:
        raw = await self._until(b"\r\n")
        self._check(not BARE.search(raw), f"bare CR or LF in {raw!r}")
        line = raw[:-2].decode("utf-8", "replace")
        self.record.commands.append(line)
        verb, _, argument = line.partition(" ")
        verb = verb.upper()
        may_follow = (
            self._is_esmtp
            and self._mx.has("PIPELINING")
            and verb in ("MAIL", "RCPT", "RSET", "NOOP")
        )
        may_follow = may_follow or verb == "BDAT"  # by its chunk
        self._check(may_follow or not self._buffer, f"spoke on before the reply to {verb}")
        handler = getattr(self, f"_on_{verb.lower()}", None)
        if handler is None:
            await self._say(verb, argument)
        else:
            await handler(argument)

    async def _on_ehlo(self, argument: str) -> None:
        self._forget()
        self._is_esmtp = (await self._say("EHLO", argument)).startswith("2")

    async def _on_helo(self, argument: str) -> None:
        self._forget()
        self._is_esmtp = False
        await self._say("HELO", argument)

    async def _on_rset(self, argument: str) -> None:
        self._forget()
        await self._say("RSET", argument)

    async def _on_quit(self, argument: str) -> None:
        await self._say("QUIT", argument)
        self.record.ended_by = "quit"
        raise _Gone

    async def _on_starttls(self, argument: str) -> None:
        if (await self._say("STARTTLS", argument)).startswith("2"):
            answer = self._mx.next_answer("HANDSHAKE", "")
            if not isinstance(answer, str):  # the usual one: there is no reply to a handshake
                await self._act(answer)
                await self._hang()
            await self._start_tls()
            self._forget()
            self._is_esmtp = False

    async def _on_mail(self, argument: str) -> None:
        path, parameters = self._path(argument, "FROM")
        for parameter in parameters:
            keyword = {"BODY": "8BITMIME"}.get(
                parameter.partition("=")[0], parameter.partition("=")[0]
            )
            self._check(self._is_esmtp and self._mx.has(keyword), f"{parameter} was not offered")
        if self._reverse_path is not None:
            self._check(False, "MAIL inside a transaction")
            await self._act("503 5.5.1 nested MAIL")
            return
        if (await self._say("MAIL", argument)).startswith("2"):
            self._reverse_path, self._parameters = path, parameters

    async def _on_rcpt(self, argument: str) -> None:
        path, _ = self._path(argument, "TO")
        if self._reverse_path is None:
            await self._act("503 5.5.1 MAIL first")
            return
        if (await self._say("RCPT", argument)).startswith("2"):
            self._recipients.append(path)

    def _path(self, argument: str, word: str) -> tuple[str, list[str]]:
        match = re.fullmatch(rf"{word}:<(.*)>((?: [^ <>]+)*)", argument)
        self._check(match, f"malformed path in {argument!r}")
        return (match[1], match[2].split()) if match else ("", [])

    async def _on_data(self, argument: str) -> None:
        if not self._recipients and not self._mx._script["DATA"]:
            await self._act("503 5.5.1 RCPT first")
            return
        if not (await self._say("DATA", argument)).startswith("3"):
            return
        # An empty message is the end mark alone: the CRLF before its dot is DATA's own.
        content = await self._until(b"\r\n.\r\n") if not await self._is_lone_dot() else self._cut(3)
        body = content[:-3]
        self._check(not BARE.search(content), "bare CR or LF in the content")
        lines = body.split(b"\r\n")
        self._check(
            not any(line.startswith(b".") and line[1:2] != b"." for line in lines),
            "a dot was not doubled",
        )
        plain = b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)
        await self._end(plain, is_chunked=False)

    async def _is_lone_dot(self) -> bool:
        while len(self._buffer) < 3:
            await self._more()
        return self._buffer.startswith(b".\r\n")

    async def _on_bdat(self, argument: str) -> None:
        size, _, last = argument.partition(" ")
        self._check(self._is_esmtp and self._mx.has("CHUNKING"), "BDAT was not offered")
        is_answered = bool(self._mx._script["BDAT"])
        if is_answered:  # before the chunk was read
            await self._say("BDAT", argument)
        chunk = await self._exactly(int(size))
        if is_answered:
            return
        if not self._recipients:
            await self._act("503 5.5.1 RCPT first")
            return
        self._chunks += chunk
        if last.upper() != "LAST":
            await self._act("250 2.0.0 chunk taken")
            return
        self._check(not BARE.search(self._chunks), "bare CR or LF in the content")
        await self._end(self._chunks, is_chunked=True)

    async def _end(self, content: bytes, *, is_chunked: bool) -> None:
        message = Received(
            self._reverse_path or "",
            self._recipients,
            content,
            self._parameters,
            bool(self.record.tls),
            is_chunked,
        )
        self._forget()
        answer = self._mx.next_answer("BODY", content.decode("latin-1"))
        if (
            isinstance(answer, TakeAndDrop) or _first(answer).startswith("2")
        ) and message.recipients:
            self.record.messages.append(message)
        await self._act(answer)

    # --- speaking ---
    async def _say(self, moment: str, argument: str) -> str:
        """Acts out the script; the last reply in it, which decides how the session goes on."""
        answer = self._mx.next_answer(moment, argument)
        await self._act(answer)
        return _first(answer)

    async def _act(self, answer: Answer) -> None:
        match answer:
            case str():
                await self._write(_reply(answer))
            case bytes():
                await self._write(answer)
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Drip(text, pause):
                for octet in _reply(text):
                    await self._write(bytes([octet]))
                    await asyncio.sleep(pause)
            case Flood(piece, times):
                for _ in range(times):
                    await self._write(piece)
            case Discard():
                self._buffer.clear()
            case Held(text):
                self._held += _reply(text)
            case Hang():
                await self._hang()
            case Freeze():
                await asyncio.Event().wait()
            case Drop() | Reset() | TakeAndDrop():
                self._hang_up(is_rude=isinstance(answer, Reset))
            case list():
                for part in answer:
                    await self._act(part)

    async def _write(self, data: bytes) -> None:
        self._writer.write(self._held + data)
        self._held = b""
        await self._writer.drain()

    async def _hang(self) -> None:
        """Until the client goes; what it still sends is noted."""
        while True:
            await self._more()

    def _hang_up(self, *, is_rude: bool) -> None:
        self.record.ended_by = "us"
        if is_rude:
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        raise _Gone

    async def _start_tls(self) -> None:
        assert self._mx.tls is not None, "no certificate for STARTTLS"
        self._mx.tls.sni_callback = lambda _, name, __: setattr(self.record, "server_name", name)
        self._check(not self._buffer, "spoke before TLS")
        await self._writer.start_tls(self._mx.tls)
        self.record.tls = self._writer.get_extra_info("ssl_object").version()


def _first(answer: Answer) -> str:
    """The reply within an answer, as far as there is one."""
    match answer:
        case str():
            return answer
        case Drip(text, _) | Held(text):
            return text
        case bytes():
            return answer.decode("latin-1")
        case list():
            return next((reply for part in answer if (reply := _first(part))), "")
    return ""


def _reply(text: str) -> bytes:
    code, _, rest = text.partition(" ")
    *more, last = rest.split("\n")
    return "".join([f"{code}-{line}\r\n" for line in more] + [f"{code} {last}\r\n"]).encode()
