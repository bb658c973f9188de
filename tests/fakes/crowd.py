"""Any number of small receivers, each with a mail host of its own, played by one process beside
the test.

    with Crowd(folder) as crowd:    # EKIDEN_DNS is crowd.dns_url, EKIDEN_DELIVERY_PORT crowd.port
        ...
        crowd.arrivals()            # (monotonic time, recipient) of all that was taken

`<number>.crowd.test` exists for every number: of twenty in a row, the first is a tar-pit, the
second refuses connections and the others take everything. `ok<number>.crowd.test` are never ill,
`pit<number>.crowd.test` are tar-pits, and nobody answers for `dead<number>.crowd.test`; while
`silent()` nobody answers at all. Run as `python -m tests.fakes.crowd PORT DNS_PORT LEDGER`.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Self

from tests.ports import free_port

ZONE = b"\x05crowd\x04test\x00"
HEALTHY, TAR_PITS, REFUSING = (
    int(IPv4Address(first)) for first in ("127.1.0.1", "127.2.0.1", "127.3.0.1")
)
ADDRESSES = 200  # of the healthy ones and of the tar-pits: so many sockets listen
MX, A = 15, 1
SOA = (
    bytes.fromhex("00060001000000050016") + bytes(2) + bytes.fromhex("00000001") * 5
)  # kept for five seconds
OFFERS = (
    b"250-crowd.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"
    b"250 SIZE 104857600\r\n"
)


def is_tar_pit(number: int) -> bool:
    return number % 20 == 0


def is_refusing(number: int) -> bool:
    return number % 20 == 1


def is_healthy(number: int) -> bool:
    return not is_tar_pit(number) and not is_refusing(number)


class Crowd:
    def __init__(self, folder: Path) -> None:
        self.port, self._dns_port = free_port("0.0.0.0"), free_port()
        self._ledger = folder / "arrivals"
        self._ledger.touch()

    @property
    def dns_url(self) -> str:
        return f"127.0.0.1:{self._dns_port}"

    def __enter__(self) -> Self:
        words = ["-m", "tests.fakes.crowd", str(self.port), str(self._dns_port), str(self._ledger)]
        self._running = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE)
        assert self._running.stdout is not None and self._running.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._running.terminate()
        self._running.communicate()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Let the name server answer nothing meanwhile."""
        self._running.send_signal(signal.SIGUSR1)
        try:
            yield
        finally:
            self._running.send_signal(signal.SIGUSR2)

    def arrivals(self) -> list[tuple[float, str]]:
        """Return the arrivals in their order."""
        lines = self._ledger.read_text().splitlines(keepends=True)
        return [
            (float(at), recipient)
            for at, recipient in (line.split() for line in lines if line.endswith("\n"))
        ]


# --- DNS, as bytes: sixty thousand questions must not be what the test is about -------------------
def answer(question: bytes) -> bytes:
    """Answer one question without compression; return nothing where there is none."""
    end = question.index(b"\0", 12) + 5
    labels, kind = _labels(question[12 : end - 4]), int.from_bytes(question[end - 4 : end - 2])
    if labels == []:  # the root: whether we are there
        return question[:2] + b"\x85\x80" + b"\0\1\0\0\0\0\0\0" + question[12:end]
    name, is_host = labels[-3], labels[0] == b"mx"
    if name.startswith(b"dead"):
        return b""
    zone = b"\xc0" + bytes([end - 4 - len(ZONE)])
    if is_host and kind == A:
        counts, record = (
            b"\0\1\0\1\0\0\0\0",
            b"\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4" + _address(name).to_bytes(4),
        )
    elif not is_host and kind == MX:
        counts, record = (
            b"\0\1\0\1\0\0\0\0",
            b"\xc0\x0c\0\x0f\0\1\0\0\1\x2c\0\7" + b"\0\x0a\2mx\xc0\x0c",
        )
    else:
        counts, record = b"\0\1\0\0\0\1\0\0", zone + SOA
    return question[:2] + b"\x85\x80" + counts + question[12:end] + record


def _labels(name: bytes) -> list[bytes]:
    labels = []
    while name[0]:
        labels.append(name[1 : 1 + name[0]])
        name = name[1 + name[0] :]
    return labels


def _address(name: bytes) -> int:
    number = int(name.removeprefix(b"ok").removeprefix(b"pit"))
    if name.startswith(b"pit"):
        return TAR_PITS + number // 20 % ADDRESSES
    if is_refusing(number) and not name.startswith(b"ok"):
        return REFUSING + number
    first = TAR_PITS if is_tar_pit(number) and not name.startswith(b"ok") else HEALTHY
    return first + number // 20 % ADDRESSES


class Dns(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._is_silent = False
        for number, is_silent in ((signal.SIGUSR1, True), (signal.SIGUSR2, False)):
            asyncio.get_running_loop().add_signal_handler(
                number, setattr, self, "_is_silent", is_silent
            )

    def datagram_received(self, data: bytes, address: Any) -> None:
        if not self._is_silent and (said := answer(data)):
            self._transport.sendto(said, address)


# --- SMTP -----------------------------------------------------------------------------------------
class Host(asyncio.Protocol):
    """Takes everything, by DATA or BDAT, and writes down when and for whom."""

    def __init__(self, ledger: int) -> None:
        self._ledger = ledger
        self._buffer = b""
        self._recipient = b""
        self._chunk = -1  # octets of a chunk that are still to come
        self._is_in_data = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(b"220 crowd.test ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        replies = []
        while (reply := self._step()) is not None:
            replies.append(reply)
        self._transport.write(b"".join(replies))

    def _step(self) -> bytes | None:
        if self._chunk >= 0:
            return self._take(self._chunk) if len(self._buffer) >= self._chunk else None
        if self._is_in_data:
            end = self._buffer.find(b"\r\n.\r\n")
            return self._take(end + 5) if end >= 0 else None
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            return None
        self._buffer = rest
        return self._obey(line)

    def _take(self, size: int) -> bytes:
        self._buffer = self._buffer[size:]
        self._chunk, self._is_in_data = -1, False
        os.write(self._ledger, b"%f %b\n" % (time.monotonic(), self._recipient))
        return b"250 2.0.0 taken\r\n"

    def _obey(self, line: bytes) -> bytes | None:
        match line[:4].upper():
            case b"EHLO":
                return OFFERS
            case b"RCPT":
                self._recipient = line[line.index(b"<") + 1 : line.index(b">")]
            case b"DATA":
                self._is_in_data = True
                return b"354 go ahead\r\n"
            case b"BDAT":
                self._chunk = int(line.split()[1])
                return b""
        return b"250 2.0.0 fine\r\n"


class TarPit(asyncio.Protocol):
    """Accepts the connection and stays silent."""


async def play(port: int, dns_port: int, ledger: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Dns, local_addr=("127.0.0.1", dns_port))
    for number in range(ADDRESSES):
        await loop.create_server(
            lambda: Host(ledger), str(IPv4Address(HEALTHY + number)), port, backlog=1024
        )
        await loop.create_server(TarPit, str(IPv4Address(TAR_PITS + number)), port, backlog=1024)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    uvloop.run(
        play(int(sys.argv[1]), int(sys.argv[2]), os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND))
    )
