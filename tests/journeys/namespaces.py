"""Machines of a network that is on no other: each a network namespace, joined by a bridge."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

HUB = "10.93.0.1"


class CannotJoin(Exception):
    """Network namespaces cannot be made here."""


@contextmanager
def joined(machines: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Make a namespace for each machine with these addresses of 10.93.0.0/16, and one for the hub
    at `HUB`, whose name is `hub`; yield their names.
    """
    if os.geteuid() != 0 or shutil.which("ip") is None:
        raise CannotJoin("network namespaces need root and iproute2")
    spaces = {name: f"ekt-{os.getpid()}-{name}" for name in ("hub", *machines)}
    try:
        for space in spaces.values():
            _ip("netns", "add", space)
            _ip("-n", space, "link", "set", "lo", "up")
        hub = spaces["hub"]
        _ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        _ip("-n", hub, "addr", "add", f"{HUB}/16", "dev", "bridge")
        _ip("-n", hub, "link", "set", "bridge", "up")
        for number, (name, addresses) in enumerate(machines.items()):
            space, port = spaces[name], f"port{number}"
            _ip("-n", hub, "link", "add", port, "type", "veth", "peer", "eth0", "netns", space)
            _ip("-n", hub, "link", "set", port, "master", "bridge", "up")
            for address in addresses:
                _ip("-n", space, "addr", "add", f"{address}/16", "dev", "eth0")
            _ip("-n", space, "link", "set", "eth0", "up")
        yield spaces
    except subprocess.CalledProcessError as error:
        raise CannotJoin(f"{error.cmd}: {error.stderr.strip()}") from error
    finally:
        for space in spaces.values():
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)


def inside(space: str, *command: str) -> list[str]:
    """Return the command that runs this one in the namespace."""
    return [shutil.which("ip") or "ip", "netns", "exec", space, *command]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, text=True, check=True)
