"""Ports for the servers of tests."""

import secrets
import socket
from contextlib import closing, suppress

# Below those that the system gives to outgoing connections (ip_local_port_range), one of which
# could come first.
LOWEST, HIGHEST = 20_000, 32_000


def free_port(*hosts: str) -> int:
    """Find a port that is free on all these addresses."""
    while True:
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
        with suppress(OSError):
            for host in hosts or ("127.0.0.1",):
                with closing(socket.socket()) as probe:
                    probe.bind((host, port))
            return port
