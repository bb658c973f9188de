"""What stands in for the sockets and threads of the web server."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class _Poller:
    """As selectors are: who is registered twice, or is not there, is a KeyError."""

    def __init__(self) -> None:
        self.watched: dict[Any, tuple[int, Callable[[Any], None]]] = {}

    def register(self, sock: Any, events: int, data: Callable[[Any], None]) -> None:
        if sock in self.watched:
            raise KeyError(sock)
        self.watched[sock] = events, data

    def modify(self, sock: Any, events: int, data: Callable[[Any], None]) -> None:
        self.unregister(sock)
        self.register(sock, events, data)

    def unregister(self, sock: Any) -> None:
        del self.watched[sock]


class _Threads:
    """Does at once what is submitted."""

    def submit(self, work: Callable[..., Any], *given: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*given))
        except Exception as error:
            future.set_exception(error)
        return future


class _Later:
    """What threads hand back to the loop, which takes it in its next turn."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def defer(self, call: Callable[..., Any], *given: Any) -> None:
        self.calls.append((call, given))

    def take_turn(self) -> None:
        calls, self.calls = self.calls, []
        for call, given in calls:
            call(*given)


class _Socket:
    """Gives the pieces one by one, takes what it is sent by the kilobyte."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = [piece for piece in pieces if piece]
        self.sent = bytearray()
        self.is_closed = False

    def recv(self, size: int) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if len(piece) > size:
            self.pieces.insert(0, piece[size:])
        return piece[:size]

    def send(self, data: bytes) -> int:
        self.sent += data[:16_384]
        return min(len(data), 16_384)

    def shutdown(self, how: int) -> None: ...

    def setblocking(self, flag: bool) -> None: ...

    def close(self) -> None:
        self.is_closed = True
