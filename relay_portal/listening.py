"""Who listens on this machine, as the kernel tells it: settings only say who should."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from domains import texts

TABLES = {"tcp": socket.AF_INET, "tcp6": socket.AF_INET6}
LISTEN = "0A"  # TCP_LISTEN of include/net/tcp_states.h


def addresses(port: int, *, proc: Path = Path("/proc/net")) -> list[IPv4Address | IPv6Address]:
    """Return the addresses on which anybody listens on this port; raises `OSError` where the kernel does not tell."""
    found = {
        _address(local.partition(":")[0], family)
        for name, family in TABLES.items()
        if (proc / name).exists() or family == socket.AF_INET
        for _, local, _, state, *_ in map(str.split, texts.lines((proc / name).read_text())[1:])
        if state == LISTEN and int(local.partition(":")[2], 16) == port
    }
    return sorted(found, key=lambda each: (each.version, int(each)))


def _address(text: str, family: int) -> IPv4Address | IPv6Address:
    """Each group of 32 bits is written in the machine's own order."""
    words = [bytes.fromhex(text[start : start + 8]) for start in range(0, len(text), 8)]
    return ip_address(socket.inet_ntop(family, b"".join(_network_order(word) for word in words)))


def _network_order(word: bytes) -> bytes:
    return socket.htonl(int.from_bytes(word, "big")).to_bytes(4, "big")
