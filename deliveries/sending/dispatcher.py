"""The routing lane's agent: finds the lane of each delivery whose domain has not been resolved
lately.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from deliveries.backends.database import DatabaseUnavailable
from deliveries.capacity.lookups import PROMPT, LookupFailures, Places
from deliveries.queue.grouping import Grouping
from deliveries.queue.leased import Claimed, LeasedLane
from deliveries.routing.destinations import Destinations
from deliveries.routing.resolver import Site
from deliveries.sending import disposition
from deliveries.sending.shared import SharedResources
from deliveries.smtp.outcomes import Bounced, Deferred, FailureScope, Stage
from deliveries.smtp.replies import local_reply
from domains.foundation.dns.resolver import NoServerAnswers
from domains.models import ItemKind

logger = logging.getLogger(__name__)

LINGER = 10.0
# Claims for domains that cannot be routed: so many of them in one statement, with so many
# deliveries, and so many seconds between two statements. Nothing of it is in a hurry.
DOMAINS_AT_ONCE, CLAIMED_AT_ONCE, EVERY = 50, 500, 0.1
UNKNOWN = "5.1.2"
FAULT = local_reply(
    451, "4.3.0", "A fault of the service while the domain's mail hosts were looked up"
)


class Dispatcher:
    """Runs like an agent; a domain that is slow to resolve holds up nobody else's."""

    def __init__(
        self,
        lane: LeasedLane,
        shared: SharedResources,
        destinations: Destinations,
        failures: LookupFailures,
    ) -> None:
        self.lane = lane
        self._shared = shared
        self._destinations = destinations
        self._failures = failures
        self._places = Places(failures, shared.file_share)
        self._claims: Grouping[str, list[Claimed]] = Grouping(
            self._claim, most=DOMAINS_AT_ONCE, every=EVERY
        )
        self._put_off: set[str] = set()  # until one of our name servers answers again
        self._return: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._woken.set()
        self._is_stopping = False
        self._has_news = self._may_have_more = True
        self.may_have_strays = False  # whether PostgreSQL may know of claims that we do not

    def wake(self, *, is_urgent: bool) -> None:
        """Note that there are deliveries to be routed."""
        self._has_news = True
        self._woken.set()

    def hurry(self) -> None:
        """Do nothing: a look-up takes as long as it takes."""

    def nudge(self) -> None:
        """Do nothing: nothing that people say changes where a domain's mail hosts are."""

    def stop(self) -> None:
        """Start no more look-ups."""
        self._is_stopping = True
        self._woken.set()

    def hang_up(self) -> None:
        """Do nothing: the dispatcher calls nobody."""

    def learned(self) -> None:
        """Return nothing: the routing lane has no receiver to learn from."""

    async def run(self) -> None:
        """Route until there has been nothing to route for a while; the caller holds the lease."""
        try:
            while not self._is_stopping and await self._turn():
                pass
        finally:
            tasks = self._places.tasks + ([self._return] if self._return else [])
            for task in tasks:
                task.cancel()
                self.may_have_strays = True  # it may have been about to claim
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _turn(self) -> bool:
        self._woken.clear()
        for domain in await self._domains():
            lookup = asyncio.create_task(self._route(domain))
            self._places.take(domain, lookup)
            lookup.add_done_callback(partial(self._routed, domain))
            self._step_aside_later(domain)
        try:
            async with asyncio.timeout(LINGER):
                await self._woken.wait()
        except TimeoutError:
            return bool(len(self._places) or self._put_off)
        return True

    def _step_aside_later(self, domain: str) -> None:
        asyncio.get_running_loop().call_later(PROMPT, self._step_aside, domain)

    def _step_aside(self, domain: str) -> None:
        if self._places.step_aside(domain):
            self._woken.set()
        else:
            self._step_aside_later(domain)

    async def _domains(self) -> list[str]:
        """Return what is to be looked up now.

        One look at the queue finds many, and costs the same for a few.
        """
        has_room = self._may_have_more and (
            self._places.room >= self._places.first // 4
            or self._places.room_again >= self._places.again // 4
        )
        if not (self._has_news or has_room):
            return []
        self._has_news = False
        try:
            if self.may_have_strays:  # what is claimed here is settled at once: none is in hand
                await self._shared.lanes.free_strays(self.lane, besides=())
                self.may_have_strays = False
            return await self._find()
        except DatabaseUnavailable as error:
            logger.warning("the domains to be routed could not be read: %s", error)
            asyncio.get_running_loop().call_later(1, partial(self.wake, is_urgent=False))
            return []

    async def _find(self) -> list[str]:
        failed = self._failures.domains()
        busy = [*self._places.domains, *self._put_off]
        room, again = self._places.room, self._places.room_again
        found = (
            await self._destinations.unrouted(besides=[*busy, *failed], most=room)
            if room > 0
            else []
        )
        self._may_have_more = room <= 0 or len(found) == room
        if failed and again > 0:
            late = await self._destinations.unrouted(besides=busy, among=failed, most=again)
            self._may_have_more = self._may_have_more or len(late) == again
            found += late
        return found

    def _routed(self, domain: str, _: asyncio.Task[None]) -> None:
        self._places.leave(domain)
        self._woken.set()

    async def _route(self, domain: str) -> None:
        try:
            found = await self._shared.router.site(domain)
            self._failures.note(domain, has_failed=isinstance(found, Deferred))
            if isinstance(found, Site):
                await self._destinations.assign(domain, found)
            else:
                await self._settle_all(domain, found)
        except NoServerAnswers:
            self._put_off.add(domain)
            if self._return is None or self._return.done():
                self._return = asyncio.create_task(self._wait_for_dns())
        except DatabaseUnavailable as error:
            logger.warning("domain=%s could not be routed: %s", domain, error)
            self.may_have_strays = True
            await asyncio.sleep(1)
        except Exception as error:
            # whatever is the matter with this domain, its mail waits like that of one that DNS
            # fails
            await self._shared.faults.note(ItemKind.ROUTING, domain, error, lasting=False)
            await self._defer_all(domain)

    async def _defer_all(self, domain: str) -> None:
        try:
            await self._settle_all(domain, Deferred(FAULT, Stage.DNS, FailureScope.SITE))
        except Exception:
            # The fault may be in what settles it: the look-ups of other domains go on.
            self.may_have_strays = True
            logger.exception("domain=%s its mail could not be put off", domain)
            await asyncio.sleep(LINGER)  # it is found again as soon as this ends

    async def _wait_for_dns(self) -> None:
        """Wait until a name server answers, then look at the mail again.

        Until then the mail stays as it is, without a try.
        """
        await self._shared.router.answers()
        self._put_off.clear()
        self.wake(is_urgent=False)

    async def _settle_all(self, domain: str, outcome: Bounced | Deferred) -> None:
        """Settle all mail of a domain alike.

        The whole domain shares one fate: it does not exist, wants no mail, or cannot be looked up
        now.
        """
        last = outcome
        while found := await self._claims.ask(domain):
            claimed = await self._without_sandboxed(found)
            known = await self._unknown_before(claimed, outcome)
            if known and last is outcome and await self._shared.router.is_known_above(domain):
                last = _known_above(domain)
            for delivery in claimed:
                self._settle(
                    delivery, last if known is None or delivery.id in known else _once_more(domain)
                )
            await self._shared.ledger.has_room()
            if len(found) == 1:  # where a domain has more, a claim takes more
                break
        await self._shared.ledger.flush()  # else the next turn would find the same domain again

    async def _claim(self, domains: list[str], is_urgent: bool) -> list[list[Claimed]]:
        """Claim the mail of these domains in one statement, and return it by domain.

        A thousand dead domains must not take the time of a thousand statements from the lanes that
        have somewhere to send to.
        """
        found: dict[str, list[Claimed]] = {domain: [] for domain in domains}
        for claimed in await self._shared.lanes.claim(
            self.lane, CLAIMED_AT_ONCE, domains=list(found)
        ):
            found[claimed.domain].append(claimed)
        return [found[domain] for domain in domains]

    async def _without_sandboxed(self, claimed: list[Claimed]) -> list[Claimed]:
        """Lead sandboxed mail, whatever its domain, to the sandbox; return the others."""
        if boxed := [delivery.id for delivery in claimed if delivery.is_sandboxed]:
            await self._shared.lanes.sandbox(self.lane, boxed)
        return [delivery for delivery in claimed if not delivery.is_sandboxed]

    async def _unknown_before(
        self, claimed: Sequence[Claimed], outcome: Bounced | Deferred
    ) -> set[UUID] | None:
        """Return which of them heard an hour ago that their domain does not exist; None where this
        outcome says something else.

        A resolver that fails, a registry's slip or a domain that was paid for too late looks like a
        typing mistake, for an hour.
        """
        if isinstance(outcome, Deferred) or outcome.reply.enhanced != UNKNOWN:
            return None
        return await self._destinations.unknown_before([delivery.id for delivery in claimed])

    def _settle(self, claimed: Claimed, outcome: Bounced | Deferred) -> None:
        if claimed.suppressed is not None:
            entry = disposition.suppressed(claimed, epoch=self.lane.epoch)
        else:
            entry = disposition.settle(
                claimed, outcome, epoch=self.lane.epoch, spread=random.random()
            )
        self._shared.ledger.record(entry)


def _once_more(domain: str) -> Deferred:
    reply = local_reply(
        450,
        "4.1.2",
        f"DNS says that the domain {domain} does not exist or takes no mail; asked again until "
        "an hour is over",
    )
    return Deferred(reply, Stage.DNS, FailureScope.SITE)


def _known_above(domain: str) -> Deferred:
    """Defer and log: our resolvers are wrong, and a person should look at them while the mail
    waits.
    """
    text = (
        f"The name servers that are asked here say that the domain {domain} does not exist; one of "
        "the zone above it knows it"
    )
    logger.warning("event=dns-contradicted domain=%s text=%s", domain, text)
    return Deferred(local_reply(451, "4.4.3", text), Stage.DNS, FailureScope.SITE)
