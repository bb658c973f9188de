"""Opens a session at a smarthost and logs in; once more where the first log-in is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from django.conf import settings

from deliveries.sending.known_smarthosts import KnownSmarthost
from deliveries.sending.smarthost_logins import SmarthostLogins
from deliveries.smtp.authentication import Login
from deliveries.smtp.connection import Connection, ConnectionFailed, Endpoint, Timeouts
from deliveries.smtp.opening import open_with_fallback
from deliveries.smtp.peer import Peer


@dataclass(frozen=True, slots=True)
class SmarthostDoor:
    """One smarthost, as a lane's connections enter it."""

    smarthost: KnownSmarthost
    logins: SmarthostLogins
    look: Callable[[Endpoint], None] | None = None  # whether a host that was put aside is well

    @property
    def hosts(self) -> list[tuple[int, str, int]]:
        return self.smarthost.lane_hosts

    async def open(
        self,
        endpoint: Endpoint,
        *,
        source: str | None,
        ehlo_name: str,
        timeouts: Timeouts,
        peer: Peer,
        without: frozenset[str],
    ) -> Connection:
        """Return a session ready for mail; raise `ConnectionFailed` or `NoLogin`.

        Of a token that is refused, the next one is tried at once; a second refusal is raised.
        """

        async def attempt(login: Login) -> Connection:
            return await open_with_fallback(
                endpoint, source=source, ehlo_name=ehlo_name,
                tls=self.smarthost.level(endpoint.host, endpoint.port), timeouts=timeouts,
                peer=peer, without=without,
                login=replace(login, our_name=settings.EKIDEN_HOSTNAME),
            )  # fmt: skip

        login = await self.logins.login(self.smarthost)
        try:
            return await attempt(login)
        except ConnectionFailed as error:
            if not error.is_login_refused:
                raise
        return await attempt(await self.logins.another(self.smarthost, login))
