"""Who a client is and what it may do: credentials with their project's settings, looked up again
every second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network

from deliveries.backends.database import Database
from deliveries.intake.submission import SubmittingAccount
from smtp_listener.admission.sending_domains import SendingDomains

KEEP = 1.0  # seconds: how long a revoked credential may still be used
# unknown user names that are looked up one by one; a new credential works at once where no flood is
UNKNOWN_A_SECOND = 50

ACCOUNT = """
SELECT credential.id, credential.project_id, credential.kind, credential.secret_hash,
    credential.networks,
       credential.priority, credential.highest_priority, credential.max_size,
           credential.max_recipients,
       least(credential.per_minute, slowed.per_minute), credential.per_day,
           credential.max_sessions, project.lifetime,
           project.idempotency_window,
       project.hides_client_address, project.takes_foreign_names,
       coalesce(policy.on_suppressed = 'drop', false), coalesce(policy.adds_unsubscribe, false),
       project.keeps_subject,
       ARRAY(SELECT domain.name FROM domains_domain domain
             WHERE domain.project_id = credential.project_id AND domain.verified_at IS NOT NULL
               AND NOT domain.id = ANY (keyless.ids)
               AND (chosen.has_any IS NULL OR domain.id IN (
                   SELECT domain_id FROM domains_credential_domains
                       WHERE credential_id = credential.id))),
       ARRAY(SELECT domain.name FROM domains_domain domain
             WHERE domain.project_id = credential.project_id AND domain.verified_at IS NULL),
       ARRAY(SELECT domain.name FROM domains_domain domain WHERE domain.id = ANY (keyless.ids)),
       ARRAY(SELECT domain.name FROM domains_domain domain
             WHERE domain.project_id = credential.project_id AND domain.lapsed_at IS NOT NULL),
       covering.wide, covering.strict, covering.foreign
FROM domains_credential credential
JOIN domains_project project ON project.id = credential.project_id
LEFT JOIN suppressions_policy policy ON policy.project_id = project.id
LEFT JOIN LATERAL (SELECT true AS has_any FROM domains_credential_domains
                   WHERE credential_id = credential.id LIMIT 1) chosen ON true
-- What rules for tenants let through.
CROSS JOIN LATERAL (SELECT min(tenant.per_minute) AS per_minute FROM deliveries_tenantcase tenant
    WHERE tenant.project_id = project.id AND tenant.per_minute IS NOT NULL) slowed
-- Verified domains whose first key has not been seen in DNS yet.
CROSS JOIN LATERAL (SELECT ARRAY(
    SELECT domain.id
    FROM domains_domain domain JOIN domains_signingkey key ON key.domain_id = domain.id
    WHERE domain.project_id = credential.project_id AND domain.verified_at IS NOT NULL
    GROUP BY domain.id
    HAVING bool_and(key.state IN ('made', 'published', 'seen'))) AS ids) keyless
-- Domains below which any name may send, and what others have verified below them.
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(own.name) FILTER (WHERE NOT own.is_strict), '{}') AS wide,
           coalesce(array_agg(own.name) FILTER (WHERE own.is_strict), '{}') AS strict,
           coalesce((SELECT array_agg(other.name) FROM domains_domain other
                     WHERE other.project_id <> credential.project_id
                       AND other.verified_at IS NOT NULL
                       AND other.name LIKE ANY (array_agg('%%.' || own.name))), '{}') AS foreign
    FROM domains_domain own
    WHERE own.project_id = credential.project_id AND own.covers_subdomains
      AND own.verified_at IS NOT NULL AND NOT own.id = ANY (keyless.ids)
      AND (chosen.has_any IS NULL OR own.id IN (
          SELECT domain_id FROM domains_credential_domains
              WHERE credential_id = credential.id))) covering
WHERE credential.revoked_at IS NULL
"""
BY_NAME = ACCOUNT + " AND credential.kind = 'password' AND credential.username = %(username)s"
NAMES = "SELECT username FROM domains_credential WHERE revoked_at IS NULL AND kind = 'password'"
BY_ID = ACCOUNT + " AND credential.id = %(credential)s"
BY_NETWORK = ACCOUNT + " AND credential.kind = 'network' AND cardinality(credential.networks) > 0"

# Another listener may be writing the same credentials; its word is as good.
USED = """
WITH free AS (
    SELECT id FROM domains_credential WHERE id = ANY(%(ids)s::bigint[])
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE domains_credential credential SET last_used_at = now(), last_used_from = used.address::inet
FROM unnest(%(ids)s::bigint[], %(addresses)s::text[]) AS used(id, address)
    WHERE credential.id = used.id AND credential.id IN (SELECT id FROM free)
"""

COUNT_SINCE = """
SELECT count(*) FROM deliveries_message
WHERE project_id = %(project)s AND credential_id = %(credential)s AND id >= %(since)s
"""


@dataclass(frozen=True, slots=True)
class Account:
    """A usable credential; None stands for "no limit", an empty `networks` for "from anywhere"."""

    credential_id: int
    project_id: int
    kind: str
    secret_hash: bytes | None
    networks: list[str]
    priority: int
    highest_priority: int
    max_size: int | None
    max_recipients: int | None
    per_minute: int | None
    per_day: int | None
    max_sessions: int | None
    lifetime: int
    idempotency_window: int
    hides_client_address: bool
    takes_foreign_names: bool
    drops_suppressed: bool
    adds_unsubscribe: bool
    keeps_subject: bool
    domains: list[str]
    unverified: list[str]  # domains of the project, for the refusal alone
    keyless: list[str]  # the same for domains whose first key has not been seen yet
    lapsed: list[str]  # the same for domains whose proof has been gone from DNS for too long
    wide: list[str]  # those of `domains` below which any name may send
    strict: list[str]  # those where names below could, if DMARC did not forbid it
    foreign: list[str]  # what other projects have verified below those

    @property
    def senders(self) -> Collection[str]:
        """What it may send as."""
        if not self.wide:
            return self.domains
        return SendingDomains(self.domains, self.wide, self.foreign)

    def is_open_to(self, address: IPv4Address | IPv6Address) -> bool:
        return not self.networks or self.is_at_home(address)

    def is_at_home(self, address: IPv4Address | IPv6Address) -> bool:
        """Tell whether the address is in one of the credential's own networks."""
        return any(address in ip_network(network, strict=False) for network in self.networks)

    @property
    def sender(self) -> SubmittingAccount:
        return SubmittingAccount(
            project_id=self.project_id,
            credential_id=self.credential_id,
            lifetime=self.lifetime,
            idempotency_window=self.idempotency_window,
            hides_client_address=self.hides_client_address,
            adds_unsubscribe=self.adds_unsubscribe,
            keeps_subject=self.keeps_subject,
        )


class Accounts:
    """Look-ups with a short memory; raises `DatabaseUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[str, tuple[float, Account | None]] = {}
        self._networks: tuple[float, list[Account]] = (0.0, [])
        self._used: dict[int, IPv4Address | IPv6Address] = {}
        self._noted: dict[int, float] = {}
        self._second, self._unknown = 0.0, 0
        self._names: tuple[float, frozenset[str]] = (0.0, frozenset())
        self._reading_names = asyncio.Lock()

    async def named(self, username: str) -> Account | None:
        """Return the credential of this user name, if it may be used, or None."""
        kept = self._kept.get(username)
        if kept is None or kept[0] < time.monotonic():
            if len(self._kept) > 10_000:  # names come from strangers
                self._kept.clear()
            if self._is_busy() and username not in await self._all_names():
                return None
            rows = await self._database.fetch(BY_NAME, {"username": username})
            self._unknown += not rows
            kept = self._kept[username] = (
                time.monotonic() + KEEP,
                Account(*rows[0]) if rows else None,
            )
        return kept[1]

    def _is_busy(self) -> bool:
        """Tell if so many unknown names were asked for within this second that PostgreSQL shall
        hear of no more of them.
        """
        if self._second < time.monotonic():
            self._second, self._unknown = time.monotonic() + 1.0, 0
        return self._unknown >= UNKNOWN_A_SECOND

    async def _all_names(self) -> frozenset[str]:
        """Read once a second at most, however many names strangers invent."""
        async with self._reading_names:
            until, names = self._names
            if until < time.monotonic():
                names = frozenset(row[0] for row in await self._database.fetch(NAMES))
                self._names = (time.monotonic() + KEEP, names)
        return names

    async def trusted(self, address: IPv4Address | IPv6Address) -> Account | None:
        """Return the credential whose trusted network the address belongs to, or None."""
        until, accounts = self._networks
        if until < time.monotonic():
            accounts = [Account(*row) for row in await self._database.fetch(BY_NETWORK)]
            self._networks = (time.monotonic() + KEEP, accounts)
        return next((account for account in accounts if account.is_at_home(address)), None)

    async def numbered(self, credential: int) -> Account | None:
        """Return the credential with this id, if it may be used; looked up anew."""
        rows = await self._database.fetch(BY_ID, {"credential": credential})
        return Account(*rows[0]) if rows else None

    async def messages_since(self, account: Account, since: object) -> int:
        """Count the messages that the credential has had accepted since this id."""
        given = {"project": account.project_id, "credential": account.credential_id, "since": since}
        [(count,)] = await self._database.fetch(COUNT_SINCE, given)
        return int(count)

    def note_use(self, credential: int, address: IPv4Address | IPv6Address) -> None:
        """Remember for `write_uses`; at most once a minute for each credential."""
        if self._noted.get(credential, 0.0) < time.monotonic():
            self._noted[credential] = time.monotonic() + 60
            self._used[credential] = address

    async def write_uses(self) -> None:
        """Write down who was here; what PostgreSQL does not take is kept for the next time."""
        used, self._used = self._used, {}
        if not used:
            return
        given = {"ids": list(used), "addresses": [str(address) for address in used.values()]}
        try:
            await self._database.fetch(USED, given)
        except BaseException:
            self._used = used | self._used
            raise

    async def close(self) -> None:
        await asyncio.shield(self._database.close())
