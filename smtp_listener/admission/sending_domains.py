"""The domains that an account may send as, with the names below those that cover them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SendingDomains(Collection[str]):
    """`names` are the account's own; any name below one of `wide` is as good, except where the
    nearest verified domain above it is one of `foreign`, another project's.
    """

    names: Collection[str]
    wide: Collection[str]
    foreign: Collection[str]

    def __contains__(self, domain: object) -> bool:
        return domain in self.names or (bool(self.wide) and self._covers(str(domain)))

    def _covers(self, domain: str) -> bool:
        while domain:
            if domain in self.foreign:
                return False
            domain = domain.partition(".")[2]
            if domain in self.wide:
                return True
        return False

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)
