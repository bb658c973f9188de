"""Whole sessions of the listener in memory: its own channel, session and transactions; the stores
behind them are scripted.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import fields
from math import inf
from typing import Any
from uuid import UUID

from django.conf import settings

from deliveries.backends.database import Database as RealDatabase
from deliveries.intake.committer import Intake
from deliveries.intake.pending import COMMIT
from domains.senders import dkim
from domains.senders.credentials import hash_secret
from smtp_listener.admission.accounts import BY_NAME, NAMES, Account, Accounts
from smtp_listener.admission.authentication import Authentication, Proof
from smtp_listener.admission.inbound_quotas import InboundQuotas
from smtp_listener.admission.limits import (
    FORGED_RETURN_PATHS,
    Counters,
    EventCounter,
    LoginThrottle,
    Quotas,
)
from smtp_listener.admission.log_limits import Sparing
from smtp_listener.admission.return_path_names import ReturnPathNames
from smtp_listener.protocol.channel import Channel
from smtp_listener.sessions import server
from smtp_listener.sessions.session import Session
from smtp_listener.sessions.verbs import VERBS
from suppressions.lookup import Lookup
from tests.fuzz.checks import Log
from tests.fuzz.loop import Transport, VirtualLoop

# in an input: here the client waits for all that the server has to say. No UTF-8 has this byte.
TURN = b"\xff"
NAME, SECRET, DOMAIN = "shop-app", "correct horse battery staple", "shop.test"
# Lines of a reply (RFC 5321, section 4.2); all lines of one have the same code, and only the last
# no hyphen.
_LINE = re.compile(rb"([2-5][0-9][0-9])([ -])[ -~]{0,500}")

Fetch = Callable[[str, dict[str, Any]], list[Any]]


class Database:
    """Answers by a function; keeps what was to be written."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def fetch(self, sql: str, given: dict[str, Any] | None = None) -> list[Any]:
        await asyncio.sleep(0)
        return self._fetch(sql, given or {})

    async def close(self) -> None: ...


class _Unscripted(Database):
    """Stands where the listener has a store that `_fresh` does not know: the next one is found by
    the first input that asks it, and not by a look-up that never ends.
    """

    def __init__(self) -> None:
        super().__init__(self._refuse)

    def _refuse(self, sql: str, given: dict[str, Any]) -> list[Any]:
        raise AssertionError(f"give this store a scripted database in `_fresh`: {sql}")


class _Keys:
    """The same signer for every domain."""

    def __init__(self) -> None:
        self._signer = dkim.Signer(DOMAIN, "s", dkim.generate("ed25519"))

    async def signers(self, project: int, domain: str) -> list[dkim.Signer]:
        assert domain == DOMAIN, f"mail of {domain} would be signed"
        return [self._signer]

    async def close(self) -> None: ...


class _WakeUps:
    def notify(self, *given: Any, **named: Any) -> None: ...

    async def close(self) -> None: ...


class _Watched(Authentication):
    """Nobody is taken for somebody without the secret."""

    async def judge(self, proof: Proof, *given: Any) -> Any:
        judged = await super().judge(proof, *given)
        if not hasattr(judged, "code"):
            assert (proof.username, proof.secret) == (NAME, SECRET), "logged in without the secret"
        return judged


class Sessions:
    """One port of a listener whose stores are scripted.

    `stored` are the rows of port 25, `committed` the messages of apps.
    """

    def __init__(self, port: str) -> None:
        self.loop = VirtualLoop()
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._make())
        [self.port] = [each for each in server.ports() if each.name == port]
        self.log = Log().install()
        self.stored: list[dict[str, Any]] = []
        self.committed: list[dict[str, Any]] = []

    async def _make(self) -> None:
        self.listener = server.Listener()
        await self.listener.counters.close()
        for store in vars(self.listener).values():
            if isinstance(getattr(store, "_database", None), RealDatabase):
                store._database = _Unscripted()

    def _fresh(self) -> None:
        """Begin anew: no input has to do with the one before it."""
        listener, database = self.listener, Database(self._answer)
        counters = Counters(settings.REDIS_URL)
        counters._down_until = inf  # each process counts for itself
        listener.quotas, listener.inbound_quotas = (
            Quotas(counters),
            InboundQuotas(counters, database),
        )
        listener.forged_return_paths = EventCounter(counters, FORGED_RETURN_PATHS)
        listener.accounts = Accounts(database)
        listener.return_path_names = ReturnPathNames(database)
        listener.authentication = _Watched(listener.accounts, LoginThrottle(clock=self.loop.time))
        listener.suppressions = Lookup(database)
        listener.inbound = database
        listener.intake = Intake(database, database, _KEYS, _WakeUps())
        listener.guest_lines, listener.app_lines = Sparing(1000), Sparing(1000)
        self.stored, self.committed = [], []

    def _answer(self, sql: str, given: dict[str, Any]) -> list[Any]:
        if sql == BY_NAME:
            return [_ACCOUNT] if given["username"] == NAME else []
        if sql == NAMES:
            return [(NAME,)]
        if sql == COMMIT:
            self.committed.append(given)
            return [(given["id"], [], [])]
        if "INSERT INTO deliveries_inboundmail" in sql:
            self.stored.append(given)
            return []
        if "sum(" in sql or "count(" in sql:
            return [(0,)]
        if "unnest(%(projects)s" in sql:
            asked = zip(
                *(given[name] for name in ("projects", "keys", "domains", "senders")), strict=True
            )
            return [
                (*question, "Unknown recipient")
                for question in asked
                if question[1].startswith("gone@")
            ]
        return []

    def converse(self, data: bytes, *, is_encrypted: bool = False) -> bytes:
        """Return all that the server says to a client that says this and then hangs up."""
        self._fresh()
        said: bytes = self.loop.finish(self._session(data.split(TURN), is_encrypted=is_encrypted))
        self._check_over(said)
        self.log.check()
        return said

    async def _session(self, turns: list[bytes], *, is_encrypted: bool) -> bytes:
        await self.listener.intake.start()
        channel = Channel(self.loop, self.port.patience(self.listener.patience), self._serve)
        transport = Transport(self.loop, channel)
        if is_encrypted:
            channel.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384"
        channel.connection_made(transport)
        task = channel._task
        assert task is not None
        for turn in turns:
            await self.loop.until(lambda: channel.is_waiting or task.done())
            if transport.is_closing():
                break
            channel.data_received(turn)
            await asyncio.sleep(0)  # until it has seen that it need not wait any more
            await asyncio.sleep(0)
        await self.loop.until(lambda: channel.is_waiting or task.done())
        if not transport.is_closing():
            channel.eof_received()
        await self.loop.until(task.done)
        await self.loop.until(transport.is_closing)
        await task
        await self.listener.intake.close()
        return bytes(transport.written)

    def _serve(self, channel: Channel) -> Awaitable[None]:
        return Session(self.listener, self.port, channel, VERBS).run()

    def _check_over(self, said: bytes) -> None:
        check_replies(said)
        assert not self.listener.sessions and not self.listener._rooms[self.port.name].sessions, (
            "a session was left"
        )
        spool = self.listener.spool_folder
        assert not spool.exists() or not any(spool.iterdir()), "a spooled message was left"
        assert said.count(b" OK received as ") == len(self.stored), (
            "stored and not answered, or the other way round"
        )
        assert said.count(b" OK queued as ") == len(self.committed), (
            "committed and not answered, or the other way round"
        )


def check_replies(said: bytes) -> None:
    """Check that they are whole lines, each of a reply."""
    *lines, rest = said.split(b"\r\n")
    assert rest == b"", "half a line"
    code = b""
    for line in lines:
        match = _LINE.fullmatch(line)
        assert match, f"no line of a reply: {line!r}"
        assert code in (b"", match[1]), f"the code changes within a reply: {line!r}"
        code = match[1] if match[2] == b"-" else b""
    assert code == b"", "a reply without its last line"


_KEYS = _Keys()
_GIVEN = {
    "credential_id": 7, "project_id": 3, "kind": "password", "secret_hash": hash_secret(SECRET),
    "networks": [], "priority": 1,
    "highest_priority": 2, "lifetime": 432_000, "idempotency_window": 0, "adds_unsubscribe": True,
    "domains": [DOMAIN], "unverified": [], "keyless": [], "lapsed": [],
    "wide": [], "strict": [], "foreign": [],
}  # fmt: skip
_ACCOUNT = [
    _GIVEN.get(field.name) for field in fields(Account)
]  # None and nothing are no limit, and no
DELIVERY = UUID(int=7 << 64)
