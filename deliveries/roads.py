"""The way to a site: its hosts in order, their addresses, and the first connection that opens."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import groupby

from django.conf import settings

from deliveries.lanes import LeasedLane
from deliveries.outcomes import Bounced, Deferred, Scope, Stage
from deliveries.routing import Forbidden, Router
from deliveries.smtp.connection import Connection, ConnectionFailed, Endpoint, Timeouts, TlsLevel, open_with_fallback
from deliveries.smtp.replies import local_reply
from domains.dns import NoServerAnswers, NoSuchName, TemporaryFailure


class NoRoad(Exception):
    """No host of the site took a connection; tells the last try. `is_ours`: not one could be looked up, by no fault of the site."""

    def __init__(self, outcome: Deferred | Bounced, host: str = "", address: str = "", *, is_ours: bool = False) -> None:
        super().__init__(str(outcome.reply))
        self.is_ours = is_ours
        self.outcome = outcome
        self.host = host
        self.address = address


async def open_road(lane: LeasedLane, router: Router, *, tls: str, timeouts: Timeouts) -> tuple[Connection, str]:
    """A connection ready for mail and the name of its host; raises `NoRoad`. `tls` is what the receiver's rule says, "" for nothing."""
    level = TlsLevel(tls if tls and not lane.is_routed else lane.tls)
    failure = NoRoad(_unreachable("The site has no mail host with an address"))
    for host, port in in_order(lane.hosts):
        try:
            addresses = await router.addresses(host, is_routed=lane.is_routed)
        except (NoSuchName, TemporaryFailure) as error:
            is_ours = isinstance(error, NoServerAnswers) and (failure.is_ours or not failure.host)
            reply = _unreachable(f"Looking up the mail host {host} failed: {error}", "4.4.3")
            failure = NoRoad(reply, host, is_ours=is_ours)
            continue
        except Forbidden as error:
            # Final, but only if no other host of the site failed for a reason that may pass.
            failure = failure if failure.host else NoRoad(_forbidden(str(error)))
            continue
        for address in addresses:
            try:
                endpoint = Endpoint(host, str(address), port)
                return await open_with_fallback(
                    endpoint, source=lane.source or None, ehlo_name=settings.EKIDEN_HOSTNAME, tls=level, timeouts=timeouts
                ), host
            except ConnectionFailed as error:
                failure = NoRoad(error.outcome, host, str(address))
    raise failure


def in_order(hosts: list[tuple[int, str, int]]) -> Iterator[tuple[str, int]]:
    """By preference, in random order within one (RFC 5321, section 5.1)."""
    for _, group in groupby(sorted(hosts), key=lambda host: host[0]):
        equals = [(name, port) for _, name, port in group]
        random.shuffle(equals)
        yield from equals


def _unreachable(text: str, enhanced: str = "4.4.4") -> Deferred:
    return Deferred(local_reply(451, enhanced, text), Stage.DNS, Scope.SITE)


def _forbidden(text: str) -> Bounced:
    return Bounced(local_reply(550, "5.4.4", text), Stage.DNS, Scope.SITE)
