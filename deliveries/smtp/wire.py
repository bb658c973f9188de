"""The bytes of one outgoing connection: replies in, writes out, one waiter and one deadline."""

import asyncio
import select
import socket
import sys
from collections import deque
from contextlib import suppress
from typing import cast

from deliveries.smtp.replies import ProtocolError, Reply, ReplyParser

READ_SIZE = 4096
IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h; the socket module learned it in Python 3.12
MAX_WAITING = 100  # replies nobody asked for; a dialogue has at most five under way


class Wire(asyncio.BufferedProtocol):
    """`trouble` says why no more replies will come; those that came before it are still there."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._parser = ReplyParser()
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._has_left = asyncio.Event()
        self.replies: deque[Reply] = deque()
        self.trouble = ""
        self.is_backed_up = False  # bytes of ours wait for room in the kernel
        self.heard_at = 0.0
        self.transport: asyncio.Transport

    # --- what asyncio calls ---
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.adopt(cast("asyncio.Transport", transport))  # uvloop's is one in all but its class

    def adopt(self, transport: asyncio.Transport) -> None:
        """Take over a transport, with the lowest marks: `is_backed_up` then tells what is still
        here from what the kernel has.

        Below TLS there is one more buffer that we do not see: there we may think sent what is not,
        and are in doubt more often.
        """
        self.transport = transport
        self.is_backed_up = False
        # TLS transports pause *at* the mark, plain ones above it: at 0, TLS would pause once and
        # never resume.
        transport.set_write_buffer_limits(
            high=1 if transport.get_extra_info("ssl_object") else 0, low=0
        )

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self.trouble:
            return
        self.heard_at = self._loop.time()
        try:
            self.replies.extend(self._parser.feed(bytes(self._buffer[:nbytes])))
            if len(self.replies) > MAX_WAITING:
                raise ProtocolError("the peer sends replies that nothing asked for")
        except ProtocolError as error:
            self.abort(str(error))
        self._wake()

    def pause_writing(self) -> None:
        self.is_backed_up = True

    def resume_writing(self) -> None:
        self.is_backed_up = False
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.trouble = self.trouble or "connection lost"
        self._has_left.set()
        self._stop_timer()
        self._wake()

    # --- what the connection calls ---
    @property
    def is_quiet(self) -> bool:
        """True where the peer has said nothing that was not read, not even half a line."""
        return not self.replies and self._parser.is_idle

    @property
    def has_unread(self) -> bool:
        """Tell if the kernel holds something of the peer that the event loop has not come to: its
        farewell, perhaps. It costs 2 us.
        """
        looking = select.poll()
        looking.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(looking.poll(0))

    def write(self, data: bytes | memoryview) -> None:
        if not self.trouble:
            self.transport.write(data)

    def abort(self, trouble: str) -> None:
        self.trouble = self.trouble or trouble
        self._stop_timer()
        abort(self.transport)

    async def reply(self, seconds: float) -> Reply | None:
        """Return the next reply, or None where none will come (see `trouble`).

        Raise TimeoutError `seconds` after the call, however busily the peer drips bytes.
        """
        if not self.replies:
            self._deadline = self._loop.time() + seconds
            while not self.replies:
                if self.trouble:
                    return None
                await self._change()
        return self.replies.popleft()

    async def drain(self, seconds: float) -> None:
        """Wait until all is in the kernel, or there is a reply or trouble to look at.

        Raise TimeoutError as above.
        """
        self._deadline = self._loop.time() + seconds
        while self.is_backed_up and not self.replies and not self.trouble:
            await self._change()

    async def left(self, seconds: float) -> None:
        """Wait until the socket is closed, by force where that takes longer than `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._has_left.wait()
        except TimeoutError:
            abort(self.transport)

    # --- waiting ---
    async def _change(self) -> None:
        self._waiter = self._loop.create_future()
        self._start_timer()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _start_timer(self) -> None:
        """Start the timer; it outlives many waits and looks at the deadline when it fires, since
        arming one for each reply cost 3 µs each.
        """
        if self._timer is None or self._timer.when() > self._deadline:
            self._stop_timer()
            self._timer = self._loop.call_at(self._deadline, self._tick)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() >= self._deadline:
            self._waiter.set_exception(TimeoutError())
        else:
            self._start_timer()


async def dial(address: str, port: int, source: str | None) -> Wire:
    """Return a wire to `address` from our address `source`; raise OSError where there is none."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    loop = asyncio.get_running_loop()
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            _bind(sock, source)
        await loop.sock_connect(sock, (address, port))
        _, wire = await loop.create_connection(Wire, sock=sock)
    except BaseException:
        sock.close()
        raise
    return wire


def _bind(sock: socket.socket, source: str) -> None:
    """Bind the socket to our address, and leave the port to be chosen at connect.

    Bound early, each port would be taken for all peers, and a source has but 28,000.
    """
    if sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    sock.bind((source, 0))


def abort(transport: asyncio.WriteTransport) -> None:
    """Close at once. asyncio's TLS transport forgets its protocol when it is closed twice (Python
    3.11), and then raises here.
    """
    with suppress(AttributeError):
        transport.abort()
