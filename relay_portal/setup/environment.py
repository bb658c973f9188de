"""Reads settings from the environment; a value that cannot be meant is one line that names its
variable.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import environ
from django.core.exceptions import ImproperlyConfigured

Value = TypeVar("Value")

env = environ.Env()
POSTGRES = ("postgres", "postgresql")
VALKEY = ("redis", "rediss", "unix")


def setting(name: str, cast: Callable[[str], Value], default: Value) -> Value:
    """Return the variable's value, or the default where it is empty or not set.

    Raise `ImproperlyConfigured` for a value that cannot be read.
    """
    if not os.environ.get(name):
        return default
    try:
        value: Value = env.get_value(name, cast=cast)
    except (ValueError, ImproperlyConfigured) as error:
        raise ImproperlyConfigured(f"{name}={os.environ[name]}: {error}") from error
    return value


def listeners_by_cores() -> int:
    """Return how many listeners to run: a listener's work is done by one core.

    They are at most 8, since more of them make commits smaller and PostgreSQL dearer.
    """
    return min(len(os.sched_getaffinity(0)), 8)


def workers_by_cores() -> int:
    """Return how many delivery workers to run: one keeps up with about four listeners."""
    return max(1, len(os.sched_getaffinity(0)) // 4)


def url_of(*schemes: str) -> Callable[[str], str]:
    def cast(text: str) -> str:
        if urlsplit(text).scheme not in schemes:
            raise ValueError(
                "a URL is needed that begins with "
                f"{' or '.join(f'{scheme}://' for scheme in schemes)}"
            )
        return text

    return cast


def issuer(text: str) -> str:
    """Return the identifier of an OpenID provider, whose answers must not be anybody's."""
    parts = urlsplit(text)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("the provider's https:// address is needed, as it writes it itself")
    return text


def with_timeouts(url: str) -> str:
    """Return the URL of Valkey with seconds to connect and for an answer, where it gives none."""
    return f"{url}{'&' if '?' in url else '?'}socket_connect_timeout=2&socket_timeout=10"


def database(url: str) -> dict[str, Any]:  # as Django's DATABASES wants it
    try:
        return dict(env.db_url_config(url))
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL: {error}") from error


def port(text: str) -> int:
    """Parse a port; 0 switches it off. Raises `ValueError`."""
    if not text.isdecimal() or int(text) > 65_535:
        raise ValueError("a port is a number from 0 to 65535")
    return int(text)


def fixed_port(text: str) -> int:
    """Parse a port that cannot be switched off, since others come or go there. Raises
    `ValueError`.
    """
    if not port(text):
        raise ValueError("a port from 1 to 65535 is needed: this one cannot be switched off")
    return int(text)


def at_least(least: int) -> Callable[[str], int]:
    def cast(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ValueError(f"a whole number is needed, at least {least}")
        return int(text)

    return cast


def one_of(*words: str) -> Callable[[str], str]:
    def cast(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"it is one of {', '.join(words)}")
        return text.lower()

    return cast


def words(text: str) -> list[str]:
    """Split at commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def factor_words(text: str) -> list[str]:
    """Return what a provider may say that stands for a second factor: `amr:mfa`, `acr:…`."""
    for word in words(text):
        if word[:4] not in ("amr:", "acr:") or not word[4:]:
            raise ValueError("words are needed that begin with amr: or acr:, with commas between")
    return words(text)


def networks(text: str) -> list[str]:
    return [str(ip_network(word)) for word in words(text)]


def address(text: str) -> str:
    return str(ip_address(text))


def resolvers(text: str) -> list[str]:
    from domains.foundation.dns.servers import nameservers

    nameservers(words(text))
    return words(text)


def resolver(text: str) -> str:
    if len(resolvers(text)) != 1:
        raise ValueError("one address is needed, with a port if it is not 53")
    return text.strip()


def time_zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (KeyError, OSError, ValueError) as error:  # no such zone; no file; no name
        raise ValueError(
            "a name of the time zone database is needed, such as Asia/Tokyo"
        ) from error


def host_name(text: str) -> str:
    name = text.lower().removesuffix(".")
    if not name.isascii() or not all(
        label and all(char.isalnum() or char in "-_" for char in label) for label in name.split(".")
    ):
        raise ValueError(
            "a host name is letters, digits and hyphens, in labels with dots between them"
        )
    return name


def own_host_name() -> str:
    """Return the machine's name, without asking DNS: every command reads it.

    A name without a dot gets one that leads nowhere.
    """
    name = socket.gethostname().lower()
    return name if "." in name else f"{name}.localdomain"
