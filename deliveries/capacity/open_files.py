"""How much of what we would open fits into the files that the system lets this process open."""

from __future__ import annotations

import resource

RESERVED = 100  # for databases, Valkey, logs and the event loop
LEAST = 4  # sockets of each kind, however few files may be open


def share(wanted: int, limit: int | None = None) -> float:
    """Return the part of so many sockets that may be open at once, from 0 to 1.

    `limit` is that of this process where nothing is given (`getrlimit`, RLIMIT_NOFILE).
    """
    if limit is None:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return 1.0
    return min(1.0, max(0, limit - RESERVED) / wanted)
