"""Whether the ports of the settings are free to listen on, asked before a service starts."""

from __future__ import annotations

import errno
import os
import socket
from collections import defaultdict
from collections.abc import Iterator

from django.conf import settings

from relay_portal.process import listening

NAMES = ("SUBMISSION", "SUBMISSIONS", "MX", "PORTAL", "SANDBOX")


def complaint() -> str:
    """Return one line about all ports that cannot be used, and what to do; empty when all can."""
    found: dict[int, list[str]] = defaultdict(list)
    for name in NAMES:
        if number := getattr(settings, f"EKIDEN_{name}_PORT"):
            trouble = cannot_bind(number)
            if trouble is not None:
                found[trouble.errno or 0].append(name)
    return " ".join(_sentences(found))


def cannot_bind(number: int) -> OSError | None:
    """Return why no service could listen on this port of EKIDEN_BIND; None where one could."""
    family = socket.AF_INET6 if ":" in settings.EKIDEN_BIND else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.EKIDEN_BIND, number))
        except OSError as error:
            return error
    return None


def _sentences(found: dict[int, list[str]]) -> Iterator[str]:
    for number, names in found.items():
        variables = [f"EKIDEN_{name}_PORT" for name in names]
        places = [
            f"{settings.EKIDEN_BIND}:{getattr(settings, variable)} ({variable})"
            for variable in variables
        ]
        taken = (
            [getattr(settings, variable) for variable in variables]
            if number == errno.EADDRINUSE
            else []
        )
        who = "".join(f" {text}" for text in map(held_by, taken) if text)
        yield (
            f"{', '.join(places)} cannot be used: {os.strerror(number)}.{who} "
            f"{advice(number, ', '.join(variables))}"
        )


def held_by(number: int) -> str:
    """Return a sentence that names the processes which hold the port; empty where nobody tells."""
    try:
        found = listening.holders(number, settings.EKIDEN_BIND)
    except (OSError, ValueError):  # the kernel's tables are hidden, or EKIDEN_BIND is a name
        return ""
    return f"{number} is held by {', '.join(map(str, found))}." if found else ""


def advice(number: int, variables: str) -> str:
    """Return what to do about a port that this error number (`errno`) keeps from us."""
    match number:
        case errno.EADDRNOTAVAIL:
            return "Set EKIDEN_BIND to an address of this machine."
        case errno.EACCES:
            return f"Below 1024 a service needs CAP_NET_BIND_SERVICE; or set {variables}."
    return f"Set {variables}, or end what is using it."
