"""The keys that sign a domain's mail: decrypted and loaded once, looked up again every few
seconds.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from django.conf import settings

from deliveries.backends.database import Database
from domains.foundation.secrets.keyring import KeyRing
from domains.senders import dkim

KEEP = 2.0  # seconds: how long a key that was switched off may still sign

KEYS = """
SELECT key.id, domain.name, key.selector, key.algorithm, key.private_key
FROM (SELECT id, name FROM domains_domain
      WHERE project_id = %(project)s AND name = ANY(%(names)s) AND verified_at IS NOT NULL
          AND (name = %(domain)s OR covers_subdomains)
      ORDER BY length(name) DESC LIMIT 1) domain
JOIN domains_signingkey key ON domain.id = key.domain_id AND key.is_active
ORDER BY key.algorithm DESC, key.id
"""
MOST = 10_000  # names that are kept: below some domains apps may make them up


@dataclass(frozen=True, slots=True)
class _Kept:
    signers: tuple[dkim.Signer, ...]
    until: float


class SigningKeys:
    """Signers by project and domain; a loaded key is kept as long as the process lives."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[tuple[int, str], _Kept] = {}
        self._loaded: dict[int, dkim.Signer] = {}
        self._notify: KeyRing | None = None
        self._asking = asyncio.Lock()

    async def signers(self, project_id: int, domain: str) -> tuple[dkim.Signer, ...]:
        """Return the signers of the domain, or of the nearest one above it that covers the names
        below, RSA first; none where it has no active key.

        Raises `DatabaseUnavailable`, and `ValueError` for a key that the key ring cannot decrypt.
        """
        kept = self._fresh(project_id, domain)
        if kept is None:
            async with self._asking:  # of many messages at once, one asks
                kept = self._fresh(project_id, domain) or await self._renewed(project_id, domain)
        return kept.signers

    def _fresh(self, project_id: int, domain: str) -> _Kept | None:
        kept = self._kept.get((project_id, domain))
        return kept if kept is not None and kept.until >= time.monotonic() else None

    async def _renewed(self, project_id: int, domain: str) -> _Kept:
        kept = _Kept(await self._look_up(project_id, domain), time.monotonic() + KEEP)
        if len(self._kept) >= MOST:
            self._kept.clear()
        self._kept[project_id, domain] = kept
        return kept

    async def _look_up(self, project_id: int, domain: str) -> tuple[dkim.Signer, ...]:
        labels = domain.split(".")
        names = [".".join(labels[at:]) for at in range(len(labels))]
        given = {"project": project_id, "domain": domain, "names": names}
        rows = await self._database.fetch(KEYS, given)
        return tuple(self._loaded.get(id_) or self._load(id_, *key) for id_, *key in rows)

    def _load(
        self, id_: int, domain: str, selector: str, algorithm: str, encrypted: bytes
    ) -> dkim.Signer:
        if self._notify is None:
            self._notify = KeyRing.open(settings.EKIDEN_DATA / "keys" / "ring", create=False)
        private_key = dkim.load_private_key(self._notify.decrypt(encrypted))
        self._loaded[id_] = dkim.Signer(domain, selector, private_key)
        return self._loaded[id_]

    async def close(self) -> None:
        await self._database.close()
