"""Who listens on this machine, as the kernel tells it: settings only say who should."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from pwd import getpwuid

from domains.foundation.text import texts

TABLES = {"tcp": socket.AF_INET, "tcp6": socket.AF_INET6}
PROC = Path("/proc")
NO_INODE = "0"  # of a connection that its process has closed
LISTEN = "0A"  # TCP_LISTEN of include/net/tcp_states.h


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a port: the process, as far as this account may look; 0 and "" where it may not.

    `user` is a name or a number.
    """

    pid: int
    name: str
    user: str

    def __str__(self) -> str:
        if not self.pid:
            return f"a process of the user {self.user}"
        return f"{self.name} (pid {self.pid}, user {self.user})"


@dataclass(frozen=True, slots=True)
class _Row:
    address: IPv4Address | IPv6Address
    port: int
    state: str
    uid: int
    inode: str


def addresses(port: int, *, proc: Path = PROC) -> list[IPv4Address | IPv6Address]:
    """Return the addresses on which anybody listens on this port; raises `OSError` where the
    kernel does not tell.
    """
    found = {row.address for row in _rows(proc) if row.state == LISTEN and row.port == port}
    return sorted(found, key=lambda each: (each.version, int(each)))


def holders(port: int, at: str, *, proc: Path = PROC) -> list[Holder]:
    """Return who keeps others from listening on this port of this address: who listens there, else
    whose connection has it.

    Raises `OSError` where the kernel does not tell. Empty also for who has taken the port and does
    not listen.
    """
    wanted = ip_address(at)
    rows = [
        row
        for row in _rows(proc)
        if row.port == port
        and (row.address == wanted or row.address.is_unspecified or wanted.is_unspecified)
    ]
    chosen = [row for row in rows if row.state == LISTEN] or [
        row for row in rows if row.inode != NO_INODE
    ]
    return sorted({_holder(row, proc) for row in chosen}, key=lambda each: (each.pid, each.user))


def _rows(proc: Path) -> Iterator[_Row]:
    for name, family in TABLES.items():
        if (proc / "net" / name).exists() or family == socket.AF_INET:
            for line in texts.lines((proc / "net" / name).read_text())[1:]:
                _, local, _, state, _, _, _, uid, _, inode, *_ = line.split()
                address, _, port = local.partition(":")
                yield _Row(_address(address, family), int(port, 16), state, int(uid), inode)


def _holder(row: _Row, proc: Path) -> Holder:
    """Name the process that holds the socket; of forks that share it the oldest, which has the
    lowest number.
    """
    pid = min(_pids(row.inode, proc), default=0)
    name = ""
    if pid:
        with suppress(OSError):
            name = texts.clean((proc / str(pid) / "comm").read_text(errors="replace").strip())
    try:
        user = getpwuid(row.uid).pw_name
    except KeyError:
        user = str(row.uid)
    return Holder(pid, name, user)


def _pids(inode: str, proc: Path) -> Iterator[int]:
    for folder in proc.glob("[0-9]*/fd"):
        with suppress(OSError):  # another's process, or it has ended
            if any(os.readlink(each) == f"socket:[{inode}]" for each in folder.iterdir()):
                yield int(folder.parent.name)


def _address(text: str, family: int) -> IPv4Address | IPv6Address:
    """Decode an address whose groups of 32 bits are in the machine's own byte order."""
    words = [bytes.fromhex(text[start : start + 8]) for start in range(0, len(text), 8)]
    return ip_address(socket.inet_ntop(family, b"".join(_network_order(word) for word in words)))


def _network_order(word: bytes) -> bytes:
    return socket.htonl(int.from_bytes(word, "big")).to_bytes(4, "big")
