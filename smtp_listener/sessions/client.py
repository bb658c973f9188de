"""What a transaction needs to know of the session that it belongs to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from smtp_listener.admission.accounts import Account
from smtp_listener.protocol.channel import Channel
from smtp_listener.sessions.shared import Shared


class Client(Protocol):
    """A `Session`, as its transactions see it."""

    @property
    def id(self) -> str: ...

    @property
    def listener(self) -> Shared: ...

    @property
    def channel(self) -> Channel: ...

    @property
    def client(self) -> IPv4Address | IPv6Address: ...

    @property
    def helo(self) -> str: ...

    @property
    def is_extended(self) -> bool: ...

    @property
    def account(self) -> Account | None: ...

    @property
    def tls(self) -> str:
        """The protocol and cipher; empty for plain text."""

    @property
    def max_size(self) -> int:
        """For this client, in bytes."""

    def may_log(self) -> bool: ...

    async def enter(self, account: Account) -> None: ...

    async def current_account(self) -> Account: ...
