"""A port of the listener: who speaks there, how patient it is, and which transactions begin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from math import inf

from django.conf import settings

from smtp_listener.admission.accounts import Account
from smtp_listener.protocol.channel import Channel
from smtp_listener.protocol.commands import PathCommand
from smtp_listener.protocol.content import Clock
from smtp_listener.protocol.patience import Patience
from smtp_listener.sessions.client import Client
from smtp_listener.sessions.transaction import Transaction

# At the MX port: seconds for a command or a piece of a message, and from when on how many bytes a
# second a message must bring.
MX_IDLE, MX_GRACE, MX_RATE = 60.0, 60.0, 4096


@dataclass(frozen=True, slots=True)
class Port:
    """One port: its number, whether apps submit there, whether TLS comes first."""

    name: str
    number: int
    is_submission: bool
    is_implicit_tls: bool
    begin: Callable[[Client, PathCommand], Awaitable[Transaction]] = field(repr=False)

    @property
    def most(self) -> int:
        """Sessions at once; each port has a number of its own."""
        return int(
            settings.EKIDEN_MAX_SESSIONS if self.is_submission else settings.EKIDEN_MAX_MX_SESSIONS
        )

    def patience(self, patience: Patience) -> Patience:
        """Return the patience of this port: the internet's mail hosts are quick, or come again."""
        if self.is_submission:
            return patience
        return replace(
            patience, idle=min(patience.idle, MX_IDLE), block=min(patience.block, MX_IDLE)
        )

    def clock(self, channel: Channel) -> Clock:
        """Start the clock for the content of a message."""
        if self.is_submission:
            return Clock(channel.loop.time(), channel.patience.message)
        return Clock(channel.loop.time(), channel.patience.message, grace=MX_GRACE, rate=MX_RATE)

    def until(self, account: Account | None, channel: Channel) -> float:
        """Return when a client that has spoken must have logged in; at the MX port, when it must
        leave.

        The time is the loop's, in seconds.
        """
        if account is not None:
            return inf
        patience = channel.patience
        return channel.began + (patience.log_in if self.is_submission else patience.visit)
