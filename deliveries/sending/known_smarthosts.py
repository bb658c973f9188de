"""Smarthosts as a drain knows them: read again when one has changed, never for each message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from deliveries.shaping.providers import ReceiverRule
from deliveries.smtp.dialogue import TlsLevel

SMARTHOSTS = """
SELECT id, name, hosts, mechanism, username, sealed, grant_type, connections,
    messages_per_connection, per_second, per_minute, per_hour, per_day
FROM (SELECT *, "grant" AS grant_type FROM deliveries_smarthost) smarthost
"""
# The next host is asked after so many seconds without a session, whatever the first one does.
OPENING = 60.0
CONNECT, GREETING, REPLY = 20, 45, 120


@dataclass(frozen=True, slots=True)
class KnownSmarthost:
    """One smarthost; `hosts` are (host, port, TLS level) in their order."""

    id: int
    name: str
    hosts: tuple[tuple[str, int, TlsLevel], ...]
    mechanism: str
    username: str
    sealed: bytes = field(repr=False)
    takes_tokens: bool
    rule: ReceiverRule

    def level(self, host: str, port: int) -> TlsLevel:
        """Return the TLS level of one of its hosts."""
        return next(
            (level for name, at, level in self.hosts if (name, at) == (host, port)),
            TlsLevel.VERIFIED,
        )

    @property
    def target(self) -> tuple[int, str, list[tuple[int, str, int]]]:
        """What its lane is made of."""
        return self.id, self.name, self.lane_hosts

    @property
    def lane_hosts(self) -> list[tuple[int, str, int]]:
        """As a lane has them: the order is the preference."""
        return [(place, host, port) for place, (host, port, _) in enumerate(self.hosts)]


def known(row: Sequence[Any]) -> KnownSmarthost:
    """Return the smarthost of a row of `SMARTHOSTS`."""
    id_, name, hosts, mechanism, username, sealed, grant, *limits = row
    connections, each, second, minute, hour, day = limits
    rule = ReceiverRule(
        f"smarthost:{name}", name, connections=connections, messages_per_connection=each,
        per_second=second, per_minute=minute, per_hour=hour, per_day=day,
        connect_timeout=CONNECT, greeting_timeout=GREETING, reply_timeout=REPLY,
    )  # fmt: skip
    return KnownSmarthost(
        id_,
        name,
        tuple((str(host), int(port), TlsLevel(tls)) for host, port, tls in hosts),
        mechanism,
        username,
        bytes(sealed),
        bool(grant) and mechanism in ("XOAUTH2", "OAUTHBEARER"),
        rule,
    )
