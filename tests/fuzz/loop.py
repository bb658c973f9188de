"""An event loop and connections in memory: time jumps to the next timer, so that nothing waits,
and what waits for ever is a finding.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import selectors
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

AT_ONCE, MOST_TURNS = (
    200,
    20_000,
)  # looks at whether something has come to rest: at first no time passes between them

# Real ones, for code that asks the kernel about its socket: one of a pair that says nothing.
_QUIET, _OTHER = socket.socketpair()


class Hangs(AssertionError):
    """Somebody waits for what nobody will do."""


class _Selector(selectors.DefaultSelector):
    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Hangs("nothing will ever happen")
        self.loop.now += max(timeout, 0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Threads are called in place, the far side is `peer`, which hears.

    Any exception that reaches the loop is kept in `troubles`.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        self.troubles: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.troubles.append(context))
        self.breaks_tls = False
        self.peer: Callable[[Any, Transport, bytes], None] | None = None
        self.welcomed: Callable[[Any, Transport], object] = lambda protocol, transport: (
            None
        )  # once it is connected

    def time(self) -> float:
        return self.now

    # as much of it as is called
    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    # as much of it as is called
    async def start_tls(self, transport: Any, protocol: Any, context: Any, **given: Any) -> Any:  # type: ignore[override]
        """Succeed or fail: the handshake itself is OpenSSL's."""
        await asyncio.sleep(0)
        if self.breaks_tls or transport.is_closing():
            raise ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1)")
        transport.tls = _Encrypted(context)
        return transport

    # as much of it as is called
    async def create_datagram_endpoint(self, protocol_factory: Any, **given: Any) -> Any:  # type: ignore[override]
        return self._connected(protocol_factory())

    async def create_connection(self, protocol_factory: Any, *args: Any, **given: Any) -> Any:
        return self._connected(protocol_factory())

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Connect at once: nobody is there, so nothing can refuse."""

    def _connected(self, protocol: Any) -> tuple[Transport, Any]:
        transport = Transport(self, protocol)
        if self.peer is not None:
            transport.heard = functools.partial(self.peer, protocol, transport)
        protocol.connection_made(transport)
        self.welcomed(protocol, transport)
        return transport, protocol

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Let time pass until it is so."""
        for turn in range(MOST_TURNS):
            if is_so():
                return
            await asyncio.sleep(0 if turn < AT_ONCE else 1)
        raise Hangs("it does not come to rest")

    def finish(self, main: Awaitable[Any]) -> Any:
        """Run it to its end; nothing of it may be left, and no exception may have reached the
        loop.
        """
        try:
            result = self.run_until_complete(self._whole(main))
        except BaseException:
            for task in asyncio.all_tasks(self):
                task.cancel()
            with contextlib.suppress(BaseException):
                self.run_until_complete(asyncio.sleep(0))
            raise
        assert not self.troubles, f"an exception reached the loop: {self.troubles}"
        return result

    async def _whole(self, main: Awaitable[Any]) -> Any:
        result = await main
        await self.until(lambda: len(asyncio.all_tasks(self)) == 1)
        return result


class _Encrypted:
    """As far as anybody looks at an ssl.SSLObject."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def version(self) -> str:
        return "TLSv1.3"

    def cipher(self) -> tuple[str, str, int]:
        return "TLS_AES_256_GCM_SHA384", "TLSv1.3", 256


class Transport:
    """Both a stream's and a datagram's: keeps what is written."""

    def __init__(
        self, loop: VirtualLoop, protocol: Any, *, peer: tuple[str, int] = ("192.0.2.7", 40_000)
    ) -> None:
        self.loop, self.protocol, self.peer = loop, protocol, peer
        self.written = bytearray()
        self.tls: _Encrypted | None = None
        self.heard: Callable[[bytes], None] | None = None
        self._is_closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        known = {
            "peername": self.peer,
            "sockname": ("127.0.0.1", 25),
            "socket": _QUIET,
            "ssl_object": self.tls,
        }
        return known.get(name, default)

    def get_protocol(self) -> Any:
        return self.protocol

    def write(self, data: Any) -> None:
        if self._is_closed:
            return
        self.written += data
        if self.heard is not None:
            self.heard(bytes(data))

    def sendto(self, data: bytes, addr: Any = None) -> None:
        self.write(data)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self.loop.call_soon(self.protocol.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        return self._is_closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def write_eof(self) -> None: ...

    def can_write_eof(self) -> bool:
        return True


def feed(protocol: Any, data: bytes) -> None:
    """Hand bytes to a protocol of either kind, in pieces as large as it takes them."""
    if not isinstance(protocol, asyncio.BufferedProtocol):
        protocol.data_received(data)
        return
    while data:
        space = protocol.get_buffer(len(data))
        size = min(len(space), len(data))
        space[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]
