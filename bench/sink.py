"""A sink: MX hosts on many loopback addresses that take everything and note when each numbered
message came.

Run as `python -m bench.sink PORT HOSTS FILE`; on SIGTERM the notes go to FILE, see `bench.notes`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from bench import notes

END = b"\r\n.\r\n"
OFFERS = (
    b"250-sink.invalid\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 104857600\r\n"
)


class Sink:
    """What all connections share."""

    def __init__(self) -> None:
        self.arrivals: dict[int, list[int]] = {}
        self.connections = self.open = self.most_open = self.unsigned = 0

    def take(self, content: bytes) -> None:
        """Note number and signature, which stand in the message's header section."""
        head = content[: content.find(b"\r\n\r\n")]
        self.unsigned += b"DKIM-Signature:" not in head
        number = head.partition(notes.HEADER)[2].partition(b"\r\n")[0]
        self.arrivals.setdefault(int(number or -1), []).append(time.monotonic_ns())


class SinkConnection(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = b""
        self._is_in_data = False
        self._transport: Any  # asyncio's and uvloop's transports share no type

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._sink.connections += 1
        self._sink.open += 1
        self._sink.most_open = max(self._sink.most_open, self._sink.open)
        transport.write(b"220 sink.invalid ESMTP\r\n")

    def connection_lost(self, error: Exception | None) -> None:
        self._sink.open -= 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answers: list[bytes] = []
        while (
            taken := self._take_data() if self._is_in_data else self._take_command()
        ) is not None:
            answers.append(taken)
        self._transport.write(b"".join(answers))

    def _take_data(self) -> bytes | None:
        end = self._buffer.find(END)
        if end < 0:
            return None
        self._sink.take(self._buffer[:end])
        self._buffer = self._buffer[end + len(END) :]
        self._is_in_data = False
        return b"250 2.0.0 OK\r\n"

    def _take_command(self) -> bytes | None:
        line, mark, rest = self._buffer.partition(b"\r\n")
        if not mark:
            return None
        self._buffer = rest
        match line[:4].upper():
            case b"EHLO":
                return OFFERS
            case b"DATA":
                self._is_in_data = True
                return b"354 Go on\r\n"
            case b"QUIT":
                self._transport.write(b"221 Bye\r\n")
                self._transport.close()
                return b""
            case _:
                return b"250 OK\r\n"


async def serve(port: int, hosts: list[str], file: Path) -> None:
    loop, sink = asyncio.get_running_loop(), Sink()
    servers = [
        await loop.create_server(lambda: SinkConnection(sink), host, port, backlog=1024)
        for host in hosts
    ]
    stopping = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await stopping.wait()
    for server in servers:
        server.close()
    facts = {
        "connections": sink.connections,
        "most_open": sink.most_open,
        "unsigned": sink.unsigned,
    }
    notes.write(file, notes.Arrivals(sink.arrivals, facts))


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2].split(","), Path(sys.argv[3])))
