"""The commands that people are told to type: with the settings that another terminal does not
have.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit

# Those without which a command finds another installation, or none. What holds a secret is not
# printed.
NAMES = (
    "EKIDEN_DATA", "DATABASE_URL", "REDIS_URL", "EKIDEN_HOSTNAME", "EKIDEN_BIND",
    "EKIDEN_SUBMISSION_PORT", "EKIDEN_SUBMISSIONS_PORT",
    "EKIDEN_MX_PORT", "EKIDEN_PORTAL_PORT", "EKIDEN_SANDBOX_PORT",
)  # fmt: skip
SECRETS = ("EKIDEN_SECRET_KEY",)


def line(command: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the line to type for this command of `./ekiden`."""
    given = [
        f"{name}={shlex.quote(_value(name, environment))}"
        for name in NAMES
        if environment.get(name) and not _is_secret(name, environment)
    ]
    return " ".join([*given, "./ekiden", command])


def has_settings(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether another terminal needs more than the command's name."""
    return any(environment.get(name) for name in (*NAMES, *SECRETS))


def secrets_needed(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the names of the settings that are needed, too, and hold a secret."""
    return [
        name
        for name in (*NAMES, *SECRETS)
        if environment.get(name) and _is_secret(name, environment)
    ]


def _value(name: str, environment: Mapping[str, str]) -> str:
    return os.path.abspath(environment[name]) if name == "EKIDEN_DATA" else environment[name]


def _is_secret(name: str, environment: Mapping[str, str]) -> bool:
    if name in SECRETS:
        return True
    return name.endswith("_URL") and bool(
        urlsplit(environment[name]).password or "password=" in environment[name]
    )
