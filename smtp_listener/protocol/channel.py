"""The bytes of one connection: read as they come, answered in groups, watched by a clock, put
under TLS.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from aiosmtpd.smtp import SMTP

from smtp_listener.protocol import replies
from smtp_listener.protocol.patience import Patience
from smtp_listener.protocol.replies import ServerReply

HIGH_WATER = 262_144  # bytes read ahead before the client must wait


class Ended(Exception):
    """The session is over; `reply`, if any, is the last word."""

    def __init__(self, reply: ServerReply | None = None) -> None:
        super().__init__(reply.text if reply else "")
        self.reply = reply


class Channel(SMTP):
    """aiosmtpd's protocol with its reading, cancelling and inspecting replaced: one client's
    bytes, for one session.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        patience: Patience,
        serve: Callable[[Channel], Coroutine[Any, Any, None]],
    ) -> None:
        # Not aiosmtpd's own __init__: it inspects handler and class anew for each connection (0.7
        # ms) and logs them.
        asyncio.StreamReaderProtocol.__init__(self, asyncio.StreamReader(loop=loop), loop=loop)
        self.loop = loop
        self.patience = patience
        self.transport: Any = None  # asyncio's and uvloop's transports share no type
        self.client: IPv4Address | IPv6Address
        self.tls = ""
        self.buffer = bytearray()
        self.is_waiting = False  # for the client; all other waiting is for ourselves
        self._serve = serve
        self._out: list[bytes] = []
        self._more = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._is_at_end = False  # the client has said its last word, and may still listen
        self._is_gone = False
        self._is_paused = False
        self._is_shaking_hands = False
        self._deadline = 0.0
        self._late = replies.TIMED_OUT
        self._watchdog: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self.began = loop.time()
        # When the next command must be complete, whatever its own time.
        self.until = self.began + patience.first_command
        self._resting: asyncio.Event | None = None

    # --- the transport's side ---------------------------------------------------------------------
    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        peer = transport.get_extra_info("peername")
        if not peer:  # gone already
            transport.abort()
            return
        address = ip_address(peer[0].partition("%")[0])
        self.client = getattr(address, "ipv4_mapped", None) or address
        self._task = self.loop.create_task(self._serve(self))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._more.set()
        if len(self.buffer) > HIGH_WATER and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Note the end; unlike aiosmtpd's, cancel no commit under way, and answer what the client
        has asked for.
        """
        self._is_at_end = True
        self._more.set()
        return not self.tls  # TLS cannot be closed on one side only

    def connection_lost(self, error: Exception | None) -> None:
        self._wake()
        self._forget_time()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def __del__(self) -> None:
        """Do nothing: aiosmtpd's looks for attributes that its __init__ makes."""

    @property
    def is_gone(self) -> bool:
        """Tell whether nobody is there any more to hear an answer."""
        return self._is_gone

    # --- reading and writing ----------------------------------------------------------------------
    async def wait(self, seconds: float, late: ServerReply = replies.TIMED_OUT) -> None:
        """Send what we have to say, and wait so many seconds for more bytes; then the client hears
        `late`.
        """
        self._watch(seconds, late)
        self._more.clear()  # what is here was looked at; what comes while we speak was not
        await self.flush()
        if self._is_gone or self._is_at_end:
            raise Ended
        if self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()
        await self._for_client(self._more.wait())

    async def _for_client(self, event: Awaitable[object]) -> None:
        self.is_waiting = True
        try:
            await event
        finally:
            self.is_waiting = False

    async def line(self, limit: int) -> bytes | None:
        """Return the next line without its CRLF; None for one that is too long, which is read to
        its end.
        """
        until = min(self.loop.time() + self.patience.idle, self.until)
        searched = size = 0
        while (end := self.buffer.find(b"\r\n", max(searched - 1, 0))) < 0:
            searched = len(self.buffer)
            if searched > limit:
                size += searched - 1
                del self.buffer[:-1]
                searched = 1
                if size > HIGH_WATER:
                    raise Ended(replies.LINE_TOO_LONG_BY_FAR)
            await self.wait(until - self.loop.time())
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 2]
        return None if size or len(line) > limit else line

    def take(self, most: int) -> bytes:
        """Take up to so many bytes of those that are here."""
        piece = bytes(self.buffer[:most])
        del self.buffer[: len(piece)]
        return piece

    def say(self, reply: ServerReply | None) -> None:
        if reply is not None:
            self._out.append(bytes(reply))

    def say_raw(self, line: str) -> None:
        self._out.append(f"{line}\r\n".encode())

    async def flush(self) -> None:
        """Send what waits: replies to commands that came together leave together."""
        if self._out and not self._is_gone:
            self.transport.write(b"".join(self._out))
            if not self._writable.is_set():
                await self._for_client(self._writable.wait())
        self._out.clear()

    # --- TLS --------------------------------------------------------------------------------------
    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Start TLS after STARTTLS.

        What was said in plain text cannot be believed under TLS (CVE-2024-34083).
        """
        await self.flush()
        if self.buffer:
            raise Ended(replies.TLS_INJECTED)
        await self._shake_hands(context)

    async def begin_with_tls(self, context: ssl.SSLContext) -> None:
        """Start TLS on a port of implicit TLS.

        `create_server(ssl=...)` is not used: nobody could count the connections in their handshake.
        """
        handshake = asyncio.ensure_future(self._shake_hands(context))
        await asyncio.sleep(0)  # the loop has our TLS protocol in place,
        # And it is connected: it can be given the first bytes, which came to us.
        await asyncio.sleep(0)
        early = self.take(HIGH_WATER)
        while early and not self._is_gone:
            protocol = self.transport.get_protocol()
            space = protocol.get_buffer(len(early))
            size = min(len(space), len(early))
            space[:size] = early[:size]
            protocol.buffer_updated(size)
            early = early[size:]
        await handshake

    async def _shake_hands(self, context: ssl.SSLContext) -> None:
        self._is_shaking_hands = True
        try:
            transport = await self.loop.start_tls(
                self.transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=self.patience.handshake,
            )
        except (OSError, ssl.SSLError) as error:
            raise Ended from error
        finally:
            self._is_shaking_hands = False
        if transport is None:
            raise Ended
        self.transport = transport
        connection = transport.get_extra_info("ssl_object")
        self.tls = f"{connection.version()} {connection.cipher()[0]}"

    # --- time and the end -------------------------------------------------------------------------
    def _watch(self, seconds: float, late: ServerReply) -> None:
        """Set the deadline; one timer serves a whole session, and is set anew only where it would
        ring too late.
        """
        self._late = late
        self._deadline = self.loop.time() + seconds
        if self._watchdog is None:
            self._watchdog = self.loop.call_at(self._deadline, self._look_at_clock)
        elif self._watchdog.when() > self._deadline:
            self._watchdog.cancel()
            self._watchdog = self.loop.call_at(self._deadline, self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._watchdog = None
        now = self.loop.time()
        if self.is_waiting and now >= self._deadline:
            self.interrupt(self._late)
        elif not self._is_gone:
            self._watchdog = self.loop.call_at(
                self._deadline if now < self._deadline else now + 1, self._look_at_clock
            )

    def _forget_time(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None

    def interrupt(self, reply: ServerReply, *, seconds: float | None = None) -> None:
        """End a session that waits; `reply` is heard by a client that listens, within `seconds`."""
        if self._is_gone:
            return
        if self._is_shaking_hands or not self._writable.is_set():
            self.transport.abort()
        else:
            self.transport.write(bytes(reply))
            self._close(self.patience.last_words if seconds is None else seconds)
        self._wake()

    def _wake(self) -> None:
        """Wake all who wait for the client: nobody is there any more."""
        self._is_gone = True
        self._more.set()
        self._writable.set()
        if self._resting is not None:
            self._resting.set()

    async def rest(self, seconds: float) -> None:
        """Let the client wait; no longer than it is there."""
        self._resting = asyncio.Event()
        if not self._is_gone:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._resting.wait(), seconds)

    async def finish(self) -> None:
        """Say the last words and close."""
        self._watch(self.patience.last_words, replies.TIMED_OUT)
        await self.flush()
        if not self._is_gone:
            self._is_gone = True
            self._close(self.patience.last_words)

    def _close(self, seconds: float) -> None:
        """Close the connection: a peer that takes nothing more cannot hold the socket."""
        self._forget_time()
        self._watchdog = self.loop.call_later(seconds, self.transport.abort)
        self.transport.close()
