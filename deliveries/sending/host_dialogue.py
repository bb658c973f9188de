"""Offers a message to the hosts of a site, one after the other, until one has decided."""

from __future__ import annotations

import logging
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from deliveries.backends.database import DatabaseUnavailable
from deliveries.capacity.sockets import Slot
from deliveries.sending.claimed_deliveries import ClaimedDelivery
from deliveries.sending.endpoints import Endpoints, NoEndpoint
from deliveries.sending.known_smarthosts import OPENING, KnownSmarthost
from deliveries.sending.lane_agent import LaneAgent
from deliveries.sending.mail_builder import MailBuilder
from deliveries.sending.opening import GivenUp, opened
from deliveries.sending.smarthost_door import SmarthostDoor
from deliveries.sending.smarthost_probes import Probe
from deliveries.shaping.providers import ReceiverRule
from deliveries.smtp.authentication import as_refused_login
from deliveries.smtp.connection import (
    Connection,
    ConnectionFailed,
    Endpoint,
    Timeouts,
    UnsafeMail,
)
from deliveries.smtp.obstacles import NOT_8BIT
from deliveries.smtp.outcomes import Bounced, Deferred, Delivered, FailureScope, Outcome, Stage
from deliveries.smtp.replies import local_reply
from deliveries.smtp.timeouts import RFC_5321
from deliveries.smtp.transaction import is_same

logger = logging.getLogger(__name__)

# addresses that answer within one attempt: RFC 5321, section 5.1, wants two at least and allows a
# limit
MOST_HOSTS = 6
# What a host says that takes 8-bit data and cannot pass them on (RFC 3463, section 3.7)
CONVERSION = frozenset({"5.6.1", "5.6.3"})
CROWDED_GREETING = 30.0  # seconds for a greeting while very many hosts are silent


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """What one host said to a message, and the attempt's facts (host, address, source, tls,
    seconds).
    """

    outcome: Outcome
    facts: dict[str, Any]


class HostDialogue:
    """One connection at a time to the hosts of a site, for one connection of the agent.

    It offers a message to the host that it is connected to, and goes on to the next host where
    that is of use.
    """

    def __init__(self, agent: LaneAgent, slot: Slot) -> None:
        self._agent = agent
        self._shared = agent.shared
        self._slot = slot
        self._builder = MailBuilder(agent.shared)
        self._endpoints: Endpoints
        # the delivery for which the hosts of `_endpoints` are tried in their order
        self._tried_for: ClaimedDelivery | None = None
        self.connection: Connection

    async def connect(self, first: ClaimedDelivery) -> None:
        """Connect to the first host that takes a connection; raises `NoEndpoint`, `GivenUp`."""
        self._tried_for = first
        self.connection = await opened(self._first_host(), self._agent.openings, self._slot)

    async def ask(self, delivery: ClaimedDelivery) -> HostAnswer:
        """Offer the mail to the host that we are connected to, and return what it says. Raises
        `GivenUp` where it was not offered.
        """
        started = time.monotonic()
        outcome = await self._offer(delivery)
        if self._agent.lane.smarthost is not None:
            outcome = as_refused_login(outcome)
        connection = self.connection
        facts: dict[str, Any] = {
            "host": connection.endpoint.host, "address": connection.endpoint.address,
            "source": connection.local_address,
            "tls": connection.tls, "seconds": time.monotonic() - started,
            "return_path": delivery.return_path,
        }  # fmt: skip
        if connection.is_noting and self._shared.orders.transcripts.keeps(
            delivery.claimed, is_delivered=isinstance(outcome, Delivered)
        ):
            facts["transcript"] = connection.notes.transcript()
        return HostAnswer(outcome, facts)

    async def ask_others(
        self, delivery: ClaimedDelivery, answer: HostAnswer, passed: list[HostAnswer]
    ) -> HostAnswer:
        """Ask the next hosts, and where none takes the message as it is, the best one for its
        other form; the last answer.

        Those before it go to `passed`.
        """
        while self._may_go_on(delivery, answer.outcome, len(passed)) and await self._next_host(
            delivery
        ):
            passed.append(answer)
            try:
                answer = await self.ask(delivery)
            except GivenUp:
                return passed.pop()
        if _wants_seven_bit(delivery, [*passed, answer]) and await self._same_hosts_again(
            delivery, is_only=not passed
        ):
            delivery.is_reencoded = True
            with suppress(GivenUp):
                again = await self.ask(delivery)
                passed += [answer] if passed else []
                answer = again
        return answer

    def _may_go_on(self, delivery: ClaimedDelivery, outcome: Outcome, hosts: int) -> bool:
        if isinstance(outcome, Delivered) or hosts + 1 >= MOST_HOSTS or delivery.is_late:
            return False
        return self._shared.lanes.holds(self._agent.lane) and self._agent.feedback.is_about_host(
            outcome, is_again=delivery.claimed.attempts > 0
        )

    async def _next_host(self, delivery: ClaimedDelivery) -> bool:
        """Go on to the next host that takes a connection; false where there is none, and then we
        have none either.
        """
        if delivery is not self._tried_for:
            self._endpoints = self._endpoints_of_site(besides=self.connection.endpoint)
        self._tried_for = delivery
        return await self._endpoints.has_more() and await self._go_on()

    async def _go_on(self) -> bool:
        """Change to the next endpoint; false where none gives a connection, or this worker ends."""
        try:
            await self._change(self._endpoints.next())
        except (NoEndpoint, GivenUp):
            return False
        return True

    async def _same_hosts_again(self, delivery: ClaimedDelivery, *, is_only: bool) -> bool:
        """Be connected to the best host that gives a connection, to offer it the message in
        another form.
        """
        if is_only and self.connection.usable:
            return True
        self._endpoints, self._tried_for = self._endpoints_of_site(), delivery
        return await self._go_on()

    async def _offer(self, delivery: ClaimedDelivery) -> Outcome:
        """Offer the mail to this host: again at once, over another connection, without what it may
        have broken off for.
        """
        outcome = await self._outcome(self.connection, delivery)
        without: frozenset[str] = frozenset()
        while (
            not isinstance(outcome, Delivered)
            and (blamed := self.connection.way_back)
            and blamed not in without
        ):
            without |= {blamed}
            try:
                await self._change(self._endpoints.again(self.connection.endpoint, without=without))
                again = await self._outcome(self.connection, delivery)
            except (ConnectionFailed, GivenUp):
                break
            if not is_same(again, outcome):
                self._agent.feedback.experience.peer(self.connection.endpoint.host).breaks(
                    blamed, outcome.reply, now=time.time()
                )
            outcome = again
        return outcome

    async def _outcome(self, connection: Connection, delivery: ClaimedDelivery) -> Outcome:
        claimed = delivery.claimed
        try:
            async with self._shared.memory.share(claimed.size if delivery.data is None else 0):
                mail = await self._builder.mail(delivery)
                if mail is None:
                    return _unsendable("the content of the message is no longer stored")
                # It may be long ago that it was looked at: memory was waited for, and PostgreSQL.
                if not self._shared.lanes.holds(self._agent.lane):
                    raise GivenUp
                self._shared.own_file.mark(claimed.id)
                connection.is_noting = self._shared.orders.transcripts.wants(claimed)
                return await connection.send(mail)
        except (UnsafeMail, ValueError) as error:
            logger.error("message=%s cannot be sent: %s", claimed.message_id, error)
            return _unsendable("the stored message is damaged")
        except DatabaseUnavailable:
            return Deferred(
                local_reply(451, "4.3.0", "The content could not be read"),
                Stage.MAIL,
                FailureScope.MESSAGE,
            )

    async def _change(self, connecting: Coroutine[Any, Any, Connection]) -> None:
        """Go on over another connection, in place of this one."""
        await self.connection.close()
        self.connection = await opened(connecting, self._agent.openings, self._slot)

    async def _first_host(self) -> Connection:
        while True:
            self._endpoints = self._endpoints_of_site()
            try:
                return await self._endpoints.next()
            except NoEndpoint as error:
                if not error.is_ours:
                    raise
                # The receiver has done nothing: no try is used up, and no lane paused.
                await self._shared.router.answers()

    def _endpoints_of_site(self, besides: Endpoint | None = None) -> Endpoints:
        rule = self._agent.pace.rule
        timeouts = timeouts_of(rule)
        if self._shared.sockets.is_crowded:
            timeouts = replace(timeouts, greeting=min(timeouts.greeting, CROWDED_GREETING))
        experience = self._agent.feedback.experience
        smarthost = self._shared.orders.smarthost(self._agent.lane)
        if smarthost is not None:
            timeouts = replace(timeouts, opening=OPENING)
        return Endpoints(
            self._agent.lane,
            self._shared.router,
            experience,
            tls=rule.tls or "",
            timeouts=timeouts,
            identity=self._agent.identity,
            besides=besides,
            smarthost=self._door(smarthost, timeouts) if smarthost else None,
        )

    def _door(self, smarthost: KnownSmarthost, timeouts: Timeouts) -> SmarthostDoor:
        door = SmarthostDoor(smarthost, self._shared.logins)
        identity, experience = self._agent.identity, self._agent.feedback.experience

        def look(endpoint: Endpoint) -> None:
            source = identity.address_for(endpoint.address)
            probe = Probe(door, endpoint, source, identity.ehlo_name, timeouts, experience)
            self._shared.probes.start(probe)

        return replace(door, look=look)


def timeouts_of(rule: ReceiverRule) -> Timeouts:
    """Return the time-outs of RFC 5321, section 4.5.3.2, but for those that the rule sets."""
    given = {
        "connect": rule.connect_timeout, "greeting": rule.greeting_timeout,
        "ehlo": rule.reply_timeout, "mail": rule.reply_timeout,
        "rcpt": rule.reply_timeout, "body": rule.body_timeout,
    }  # fmt: skip
    return replace(
        RFC_5321, **{stage: float(seconds) for stage, seconds in given.items() if seconds}
    )


def _wants_seven_bit(delivery: ClaimedDelivery, answers: list[HostAnswer]) -> bool:
    """Tell whether a host would have taken the message in ASCII, and none took it."""
    is_refused = isinstance(answers[-1].outcome, Deferred | Bounced)
    return (
        is_refused
        and not delivery.is_reencoded
        and any(_is_about_8bit(delivery, each.outcome) for each in answers)
    )


def _is_about_8bit(delivery: ClaimedDelivery, outcome: Outcome) -> bool:
    """Tell whether the host may take the message in ASCII: it says so of itself, or of the next."""
    reply = outcome.reply
    return reply is NOT_8BIT or (delivery.claimed.eight_bit and reply.enhanced in CONVERSION)


def _unsendable(text: str) -> Bounced:
    return Bounced(local_reply(554, "5.6.0", text), Stage.MAIL, FailureScope.MESSAGE)
