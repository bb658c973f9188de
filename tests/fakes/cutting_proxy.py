"""Passes a connection on to a real server, and cuts it in the middle of a message: the server
cannot tell that from a network that dies.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any, Self


class CuttingProxy:
    """Cuts after `octets` of the client's, or lets all of them through and cuts at the server's
    next word.
    """

    def __init__(self, address: str, port: int, *, octets: int, after: bool) -> None:
        self._target = address, port
        self._octets = octets
        self._after = after
        self.cut = 0

    async def __aenter__(self) -> Self:
        # A small window: else the kernel takes the whole message before anybody has read it.
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        self._server = await asyncio.start_server(self._serve, sock=listening, limit=16_384)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.sleep(0)

    async def _serve(self, reader: Any, writer: Any) -> None:
        theirs, ours = await asyncio.open_connection(*self._target)
        self._seen = 0
        there = asyncio.create_task(self._pass(reader, ours, is_client=True))
        back = asyncio.create_task(self._pass(theirs, writer, is_client=False))
        with suppress(OSError, asyncio.CancelledError):
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        for each in (there, back):
            each.cancel()
        for each in (writer, ours):
            each.transport.abort()

    async def _pass(self, source: Any, target: Any, *, is_client: bool) -> None:
        while data := await source.read(16_384):
            if is_client:
                self._seen += len(data)
            if self._seen > self._octets and is_client != self._after:
                self.cut += 1
                return
            target.write(data)
            await target.drain()
