"""One session of a scripted MX."""

import asyncio
import re
import socket
import struct
from typing import Any

from tests.fakes.mx_actions import (
    Answer,
    Discard,
    Drip,
    Drop,
    Flood,
    Freeze,
    Hang,
    Held,
    Reset,
    TakeAndDrop,
    Wait,
    first_reply,
    reply_bytes,
)
from tests.fakes.mx_records import Received, SessionRecord

BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)")


class _Gone(Exception):
    """The session is over."""


class MxSession:
    """One client of a `FakeMx`: reads commands strictly, answers by the script."""

    def __init__(self, mx: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
            isinstance(answer, TakeAndDrop) or first_reply(answer).startswith("2")
        ) and message.recipients:
            self.record.messages.append(message)
        await self._act(answer)

    # --- speaking ---
    async def _say(self, moment: str, argument: str) -> str:
        """Act out the script; return the last reply in it, which decides how the session goes
        on.
        """
        answer = self._mx.next_answer(moment, argument)
        await self._act(answer)
        return first_reply(answer)

    async def _act(self, answer: Answer) -> None:
        match answer:
            case str():
                await self._write(reply_bytes(answer))
            case bytes():
                await self._write(answer)
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Drip(text, pause):
                for octet in reply_bytes(text):
                    await self._write(bytes([octet]))
                    await asyncio.sleep(pause)
            case Flood(piece, times):
                for _ in range(times):
                    await self._write(piece)
            case Discard():
                self._buffer.clear()
            case Held(text):
                self._held += reply_bytes(text)
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
        """Hang until the client goes; what it still sends is noted."""
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
