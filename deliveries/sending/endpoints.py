"""The way to a site: its hosts in order, their addresses, and the connections that open."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Iterator
from itertools import groupby
from typing import cast

from deliveries.queue.leased import LeasedLane
from deliveries.routing.egress import Identity
from deliveries.routing.host_experience import Experience
from deliveries.routing.resolver import Forbidden, Router
from deliveries.sending.smarthost_door import SmarthostDoor
from deliveries.sending.smarthost_logins import NoLogin
from deliveries.smtp.connection import Connection, ConnectionFailed, Endpoint, Timeouts, TlsLevel
from deliveries.smtp.opening import open_with_fallback
from deliveries.smtp.outcomes import Bounced, Deferred, FailureScope, Stage
from deliveries.smtp.replies import local_reply
from domains.foundation.dns.resolver import NoServerAnswers, NoSuchName, TemporaryFailure


class NoEndpoint(Exception):
    """No host of the site took a connection; tells the last try.

    `is_ours`: not one could be looked up, by no fault of the site. `is_addressless`: DNS says that
    none has an address. `is_about_login`: a smarthost does not let us in, which is about us and no
    delivery; `is_final`: until a person has looked.
    """

    def __init__(
        self,
        outcome: Deferred | Bounced,
        host: str = "",
        address: str = "",
        *,
        is_ours: bool = False,
        is_addressless: bool = False,
        transcript: str = "",
        is_about_login: bool = False,
        is_final: bool = False,
    ) -> None:
        super().__init__(str(outcome.reply))
        self.is_ours = is_ours
        self.is_addressless = is_addressless
        self.is_about_login = is_about_login
        self.is_final = is_final
        self.outcome = outcome
        self.transcript = transcript
        self.host = host
        self.address = address


class Endpoints:
    """One attempt's way: each address of the site's hosts is asked once, in order (RFC 5321,
    section 5.1).

    Those that were unwell lately come last. `tls` is the rule's level, "" for none; `besides` was
    asked already; `identity` is where the connections come from. `smarthost` has its own hosts,
    levels and log-in.
    """

    def __init__(
        self,
        lane: LeasedLane,
        router: Router,
        experience: Experience,
        *,
        tls: str,
        timeouts: Timeouts,
        identity: Identity,
        besides: Endpoint | None = None,
        smarthost: SmarthostDoor | None = None,
    ) -> None:
        self._identity = identity
        self._lane = lane
        self._smarthost = smarthost
        self._hosts = smarthost.hosts if smarthost else lane.hosts
        self._router = router
        self._experience = experience
        self._level = TlsLevel(tls if tls and not lane.is_routed else lane.tls)
        self._timeouts = timeouts
        self._failure = NoEndpoint(_unreachable("The site has no mail host with an address"))
        # As long as DNS has named no address, and has not failed either.
        self._is_addressless = True
        self._besides = besides
        self._unreached: list[NoEndpoint] = []
        self._endpoints = self._unwell_last()
        self._peeked: Endpoint | None = None

    async def has_more(self) -> bool:
        """Tell whether there is an address that has not been asked."""
        self._peeked = self._peeked or await anext(self._endpoints, None)
        return self._peeked is not None

    async def next(self) -> Connection:
        """Return a connection ready for mail to the first of the hosts left that gives one; raise
        `NoRoad`.
        """
        while await self.has_more():
            endpoint, self._peeked = cast("Endpoint", self._peeked), None
            try:
                connection = await self._open(endpoint)
            except NoLogin as error:
                raise self._no_login(endpoint, error) from error
            except ConnectionFailed as error:
                self._failure = NoEndpoint(
                    error.outcome, endpoint.host, endpoint.address, transcript=error.transcript,
                    is_about_login=error.stage is Stage.AUTH,
                    is_final=error.is_login_refused,
                )  # fmt: skip
                if error.is_login_refused:
                    raise self._failure from error
                self._unreached.append(self._failure)
            else:
                self._note_unreached()
                return connection
        if self._is_addressless:
            names = ", ".join(name for _, name, _ in sorted(self._hosts)[:3])
            raise NoEndpoint(
                _unreachable(f"No mail host has an address in DNS: {names}"), is_addressless=True
            )
        raise self._failure

    def _note_unreached(self) -> None:
        experience = self._experience
        note = experience.put_aside if self._smarthost is not None else experience.unwell
        for each in self._unreached:
            note(each.host, each.address, each.outcome.reply, now=time.time())
        self._unreached.clear()

    async def again(self, endpoint: Endpoint, *, without: frozenset[str]) -> Connection:
        """Return another connection to the same address, on which these extensions are not used;
        raise `ConnectionFailed`.
        """
        try:
            return await self._open(endpoint, without)
        except NoLogin as error:
            outcome = self._no_login(endpoint, error).outcome
            raise ConnectionFailed(outcome, tls="") from error

    async def _open(self, endpoint: Endpoint, without: frozenset[str] = frozenset()) -> Connection:
        if self._smarthost is not None:
            return await self._smarthost.open(
                endpoint, source=self._identity.address_for(endpoint.address),
                ehlo_name=self._identity.ehlo_name, timeouts=self._timeouts,
                peer=self._experience.peer(endpoint.host), without=without,
            )  # fmt: skip
        return await open_with_fallback(
            endpoint, source=self._identity.address_for(endpoint.address),
            ehlo_name=self._identity.ehlo_name, tls=self._level,
            timeouts=self._timeouts, peer=self._experience.peer(endpoint.host), without=without,
        )  # fmt: skip

    def _no_login(self, endpoint: Endpoint, error: NoLogin) -> NoEndpoint:
        outcome = Deferred(local_reply(451, "4.7.0", str(error)), Stage.AUTH, FailureScope.SESSION)
        return NoEndpoint(
            outcome, endpoint.host, endpoint.address, is_about_login=True, is_final=error.is_final
        )

    async def _unwell_last(self) -> AsyncIterator[Endpoint]:
        last: list[Endpoint] = []
        besides = self._besides
        async for endpoint in self._in_order():
            if besides and (endpoint.address, endpoint.port) == (besides.address, besides.port):
                continue
            if self._comes_last(endpoint):
                last.append(endpoint)
            else:
                yield endpoint
        for endpoint in last:
            yield endpoint

    def _comes_last(self, endpoint: Endpoint) -> bool:
        """Tell whether the others are asked first. A smarthost's host comes back when a look has
        found it well, not with a message.
        """
        now = time.time()
        if self._smarthost is None or self._smarthost.look is None:
            return self._experience.is_unwell(endpoint.address, now=now)
        if self._experience.is_due(endpoint.address, now=now):
            self._smarthost.look(endpoint)
        return self._experience.is_aside(endpoint.address)

    async def _in_order(self) -> AsyncIterator[Endpoint]:
        """Yield the endpoints of the lane's hosts in order.

        A host that has no address is noted as the failure, and passed over.
        """
        for host, port in in_order(self._hosts):
            try:
                addresses = await self._router.addresses(host, is_routed=self._lane.is_routed)
            except (NoSuchName, TemporaryFailure) as error:
                self._is_addressless = self._is_addressless and isinstance(error, NoSuchName)
                is_ours = isinstance(error, NoServerAnswers) and (
                    self._failure.is_ours or not self._failure.host
                )
                reply = _unreachable(f"Looking up the mail host {host} failed: {error}", "4.4.3")
                self._failure = NoEndpoint(reply, host, is_ours=is_ours)
                continue
            except Forbidden as error:
                # Final, but only if no other host of the site failed for a reason that may pass.
                self._failure = (
                    self._failure if self._failure.host else NoEndpoint(_forbidden(str(error)))
                )
                self._is_addressless = False
                continue
            if addresses:
                self._is_addressless = False
                self._experience.has_address()
            for address in addresses:
                if self._identity.reaches(str(address)):
                    yield Endpoint(host, str(address), port)
                else:
                    self._failure = (
                        self._failure if self._failure.host else NoEndpoint(_no_family(), host)
                    )


def in_order(hosts: list[tuple[int, str, int]]) -> Iterator[tuple[str, int]]:
    """Yield hosts by preference, at random within one (RFC 5321, section 5.1)."""
    for _, group in groupby(sorted(hosts), key=lambda host: host[0]):
        equals = [(name, port) for _, name, port in group]
        random.shuffle(equals)
        yield from equals


def _unreachable(text: str, enhanced: str = "4.4.4") -> Deferred:
    return Deferred(local_reply(451, enhanced, text), Stage.DNS, FailureScope.SITE)


def _no_family() -> Deferred:
    return _unreachable(
        "The mail host has addresses only of a family (IPv4, IPv6) that the source has none of"
    )


def _forbidden(text: str) -> Bounced:
    return Bounced(local_reply(550, "5.4.4", text), Stage.DNS, FailureScope.SITE)
