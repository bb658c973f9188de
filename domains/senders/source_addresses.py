"""The addresses of our sources, which the app of deliveries knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

# Who knows the sources stands above this package, and gives them here: each address with the name
# that it says in EHLO.
SourceAddresses = Callable[[], Mapping[str, str]]
_sources: list[SourceAddresses] = []


def register_sources(asked: SourceAddresses) -> None:
    """Have `asked` called, without an event loop, for the addresses of our sources."""
    _sources[:] = [asked]


def of_sources() -> dict[str, str]:
    """Return the addresses of our sources, each with its name in EHLO."""
    return {address: name for asked in _sources for address, name in asked().items()}
