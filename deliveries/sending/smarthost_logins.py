"""How we log in at smarthosts: passwords as they are stored, access tokens got in time and shared
by all workers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from deliveries.backends import access_tokens
from deliveries.backends.access_tokens import GrantedToken, TokenFailure, TokenRequest
from deliveries.backends.database import Database, DatabaseUnavailable, Row
from deliveries.routing import smarthost_secrets as secrets
from deliveries.sending.known_smarthosts import KnownSmarthost
from deliveries.smtp.authentication import NONE, Login
from domains.foundation.secrets.keyring import KeyRing, KeyRingError
from domains.operations import own_keys

logger = logging.getLogger(__name__)

EARLY = 300.0  # seconds before its end at which a token is renewed while it still serves
LATE = 30.0  # seconds before its end from which it serves no more
TURN = 60.0  # seconds for which one worker may ask the authorization server
WAIT = 0.25  # seconds between two looks at what another worker has got
AGAIN = 1.0  # seconds between two tries to keep a token while PostgreSQL is away
LONGEST = 45.0  # seconds for which a connection waits for a token
REST = 10.0  # seconds after a failure in which nobody asks again
LAST_WORDS = 10.0  # seconds for an answer that is under way when the drain ends

# Ours where nobody else asks, where nobody has got a newer one than we know, and where the last
# failure is not of this moment.
TAKE_TURN = """
INSERT INTO deliveries_smarthosttoken AS known (smarthost_id, sealed, renewing_until, failure)
SELECT id, '', now() + make_interval(secs => %(turn)s), '' FROM deliveries_smarthost
WHERE id = %(id)s
ON CONFLICT (smarthost_id) DO UPDATE SET renewing_until = EXCLUDED.renewing_until
    WHERE (known.renewing_until IS NULL OR known.renewing_until < now())
      AND extract(epoch FROM known.got_at)::float8 IS NOT DISTINCT FROM %(got_at)s::float8
      AND (known.failed_at IS NULL OR known.failed_at < now() - make_interval(secs => %(rest)s))
RETURNING smarthost_id
"""
HELD = """
SELECT sealed, extract(epoch FROM got_at)::float8, extract(epoch FROM expires_at - now())::float8,
    extract(epoch FROM expires_at - got_at)::float8, failure,
    failed_at > now() - make_interval(secs => %(rest)s), is_final
FROM deliveries_smarthosttoken WHERE smarthost_id = %(id)s
"""
ASKED = """
SELECT token_url, "grant", client_id, scope, sealed FROM deliveries_smarthost WHERE id = %(id)s
"""
GOT = """
UPDATE deliveries_smarthosttoken SET sealed = %(sealed)s, got_at = now(), renewing_until = NULL,
    expires_at = now() + make_interval(secs => %(seconds)s), failed_at = NULL, failure = ''
WHERE smarthost_id = %(id)s
"""
FAILED = """
UPDATE deliveries_smarthosttoken SET renewing_until = NULL, failed_at = now(),
    failure = %(failure)s, is_final = %(is_final)s
WHERE smarthost_id = %(id)s
"""
# A person may have written down another one meanwhile.
ROTATED = """
UPDATE deliveries_smarthost SET sealed = %(sealed)s WHERE id = %(id)s AND sealed = %(before)s
RETURNING id
"""


class NoLogin(Exception):
    """There is nothing to log in with. `is_final`: only a person can mend that."""

    def __init__(self, text: str, *, is_final: bool) -> None:
        super().__init__(text)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class _Token:
    """`ends` is on our own clock; `got_at` tells it from the one before, `life` is in seconds."""

    value: str = field(repr=False)
    got_at: float
    ends: float
    life: float

    @property
    def left(self) -> float:
        """Seconds until it ends."""
        return self.ends - time.monotonic()


class SmarthostLogins:
    """Of one drain; tokens stand in PostgreSQL under the key ring, so that one worker asks for
    all.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ring: KeyRing | None = None
        self._tokens: dict[int, _Token] = {}
        self._renewals: dict[int, asyncio.Task[_Token]] = {}
        self._asking: set[int] = set()  # smarthosts for which a server is asked now

    async def login(self, smarthost: KnownSmarthost) -> Login:
        """Return what to log in with; raise `NoLogin`. No statement while a token holds."""
        if not smarthost.takes_tokens:
            return self._by_password(smarthost)
        token = self._tokens.get(smarthost.id)
        if token is None or token.left < LATE:
            token = await self._renewed(smarthost, token)
        if token.left < min(EARLY, token.life / 2):
            self._renewal(smarthost, token)
        return _with(smarthost, token)

    async def another(self, smarthost: KnownSmarthost, refused: Login) -> Login:
        """Return a log-in after this one was refused: with a newer token where there are tokens."""
        if not smarthost.takes_tokens:
            return self._by_password(smarthost)
        token = self._tokens.get(smarthost.id)
        if token is None or token.value == refused.secret:
            token = await self._renewed(smarthost, token)
        return _with(smarthost, token)

    async def close(self) -> None:
        """End what is under way; what a server gives meanwhile is kept, since the refresh token
        before may be worth nothing by then.
        """
        if asking := [self._renewals[id_] for id_ in self._asking]:
            await asyncio.wait(asking, timeout=LAST_WORDS)
        tasks = list(self._renewals.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _by_password(self, smarthost: KnownSmarthost) -> Login:
        if smarthost.mechanism == NONE:
            return Login()
        password = self._opened(smarthost.sealed).get(secrets.PASSWORD, "")
        return Login(smarthost.mechanism, smarthost.username, password)

    def _opened(self, sealed: bytes) -> dict[str, str]:
        try:
            return secrets.opened(sealed, self._keys())
        except (KeyRingError, ValueError) as error:
            raise NoLogin(f"its secret cannot be opened: {error}", is_final=True) from error

    def _keys(self) -> KeyRing:
        if self._ring is None:
            self._ring = KeyRing.open(own_keys.ring_place(), create=False)
        return self._ring

    # --- tokens ---
    async def _renewed(self, smarthost: KnownSmarthost, older: _Token | None) -> _Token:
        try:
            async with asyncio.timeout(LONGEST):
                return await asyncio.shield(self._renewal(smarthost, older))
        except TimeoutError:
            raise NoLogin(_of(smarthost, "no answer in time"), is_final=False) from None
        except DatabaseUnavailable as error:
            raise NoLogin("the database is out of reach", is_final=False) from error

    def _renewal(self, smarthost: KnownSmarthost, older: _Token | None) -> asyncio.Task[_Token]:
        """Start the renewal of a token, or return the one that is running."""
        running = self._renewals.get(smarthost.id)
        if running is None or running.done():
            running = asyncio.create_task(self._renew(smarthost, older))
            running.add_done_callback(_seen)
            self._renewals[smarthost.id] = running
        return running

    async def _renew(self, smarthost: KnownSmarthost, older: _Token | None) -> _Token:
        """Ask for a new token, or take the one that another worker has got."""
        while True:
            got_at: float | None = None
            for (
                sealed,
                got_at,
                seconds,
                life,
                failure,
                is_fresh,
                is_final,
            ) in await self._database.fetch(HELD, {"id": smarthost.id, "rest": REST}):
                if is_fresh:
                    raise NoLogin(failure, is_final=is_final)
                if sealed and seconds > LATE and (older is None or got_at > older.got_at):
                    found = self._token(sealed, got_at, seconds, life)
                    if found is not None:
                        self._tokens[smarthost.id] = found
                        return found
            given = {"id": smarthost.id, "turn": TURN, "rest": REST, "got_at": got_at}
            if await self._database.fetch(TAKE_TURN, given):
                await self._get(smarthost)
            elif await self._database.fetch(ASKED, {"id": smarthost.id}):
                await asyncio.sleep(WAIT)
            else:
                raise _removed(smarthost)

    async def _get(self, smarthost: KnownSmarthost) -> None:
        self._asking.add(smarthost.id)
        try:
            await self._keep(smarthost, await self._ask(smarthost))
        finally:
            self._asking.discard(smarthost.id)

    def _token(self, sealed: bytes, got_at: float, seconds: float, life: float) -> _Token | None:
        try:
            value = secrets.opened_token(sealed, self._keys())
        except KeyRingError:
            return None
        return _Token(value, got_at, time.monotonic() + seconds, life)

    async def _ask(self, smarthost: KnownSmarthost) -> GrantedToken:
        rows = await self._database.fetch(ASKED, {"id": smarthost.id})
        if not rows:
            raise _removed(smarthost)
        [(url, grant, client_id, scope, sealed)] = rows
        try:
            kept = self._opened(bytes(sealed))
            asked = TokenRequest(
                url, grant, client_id, scope,
                kept.get(secrets.CLIENT_SECRET, ""), kept.get(secrets.REFRESH_TOKEN, ""),
            )  # fmt: skip
            async with asyncio.timeout(LONGEST - REST):
                granted = await asyncio.to_thread(access_tokens.fetch, asked)
        except (TokenFailure, NoLogin) as error:
            said = _of(smarthost, f"{urlsplit(url).hostname}: {error}")
            await self._note_failure(smarthost, said, is_final=error.is_final)
            raise NoLogin(said, is_final=error.is_final) from error
        except TimeoutError:
            said = _of(smarthost, f"{urlsplit(url).hostname}: no answer in time")
            await self._note_failure(smarthost, said, is_final=False)
            raise NoLogin(said, is_final=False) from None
        if granted.refresh_token:
            await self._rotate(smarthost, asked.refresh_token, granted.refresh_token, bytes(sealed))
        return granted

    async def _rotate(
        self, smarthost: KnownSmarthost, older: str, newer: str, sealed: bytes
    ) -> None:
        """Keep a newer refresh token in place of this one, beside what a person, or a newer key of
        the ring, has changed meanwhile.
        """
        while (kept := self._opened(sealed)).get(secrets.REFRESH_TOKEN, "") == older:
            again = secrets.sealed(kept | {secrets.REFRESH_TOKEN: newer}, self._keys())
            given = {"id": smarthost.id, "sealed": again, "before": sealed}
            if await self._write(ROTATED, given):
                return
            rows = await self._write(ASKED, {"id": smarthost.id})
            if not rows:
                return
            sealed = bytes(rows[0][-1])

    async def _note_failure(
        self, smarthost: KnownSmarthost, failure: str, *, is_final: bool
    ) -> None:
        logger.warning("event=no-token smarthost=%s text=%r", smarthost.name, failure)
        given: dict[str, Any] = {"id": smarthost.id, "failure": failure, "is_final": is_final}
        await self._database.fetch(FAILED, given)

    async def _keep(self, smarthost: KnownSmarthost, granted: GrantedToken) -> None:
        sealed = secrets.sealed_token(granted.token, self._keys())
        given = {"id": smarthost.id, "sealed": sealed, "seconds": granted.seconds}
        await self._write(GOT, given)

    async def _write(self, statement: str, given: dict[str, Any]) -> list[Row]:
        """Write what the server has given, however long PostgreSQL is away: the refresh token
        before it may be worth nothing by now.
        """
        while True:
            try:
                return await self._database.fetch(statement, given)
            except DatabaseUnavailable as error:
                logger.warning("smarthost=%s a token could not be kept yet: %s", given["id"], error)
                await asyncio.sleep(AGAIN)


def _with(smarthost: KnownSmarthost, token: _Token) -> Login:
    return Login(smarthost.mechanism, smarthost.username, token.value)


def _of(smarthost: KnownSmarthost, text: str) -> str:
    return f"No access token for the smarthost {smarthost.name}: {text}"


def _removed(smarthost: KnownSmarthost) -> NoLogin:
    return NoLogin(_of(smarthost, "it has been removed"), is_final=False)


def _seen(task: asyncio.Task[_Token]) -> None:
    """Take note of a renewal that failed while nobody waited: the token of before still serves, and
    the log tells.
    """
    if not task.cancelled():
        task.exception()
