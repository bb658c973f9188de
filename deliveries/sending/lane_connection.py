"""One connection of an agent, and the messages that go over it."""

from __future__ import annotations

import time
from typing import Any

from deliveries.queue.leased import Claimed
from deliveries.sending import retry_schedule
from deliveries.sending.claimed_deliveries import ClaimedDelivery
from deliveries.sending.endpoints import NoEndpoint
from deliveries.sending.feedback import is_about_domain, is_about_null_path
from deliveries.sending.host_dialogue import HostAnswer, HostDialogue
from deliveries.sending.lane_agent import LaneAgent
from deliveries.sending.opening import GivenUp
from deliveries.shaping.backoff import SlowDown
from deliveries.smtp.connection import Connection
from deliveries.smtp.outcomes import (
    Bounced,
    Deferred,
    Delivered,
    FailureScope,
    InDoubt,
    Outcome,
    Stage,
)
from deliveries.smtp.replies import local_reply


class LaneConnection:
    """Runs until there is nothing to send, its connection has carried enough, or the site has
    enough of us.
    """

    def __init__(self, agent: LaneAgent) -> None:
        self._agent = agent
        self._shared = agent.shared
        self._place = agent.shared.carrying.place()
        self._hosts: HostDialogue

    async def run(self) -> None:
        try:
            if (delivery := await self._agent.next_delivery(self._place)) is not None:
                async with self._shared.sockets.slot(is_urgent=delivery.is_urgent) as slot:
                    self._hosts = HostDialogue(self._agent, slot)
                    await self._carry(delivery)
        finally:
            self._place.leave()

    async def _carry(self, first: ClaimedDelivery) -> None:
        started = time.monotonic()
        try:
            await self._hosts.connect(first)
        except NoEndpoint as error:
            return await self._no_endpoint(first, error, seconds=time.monotonic() - started)
        except GivenUp:
            return self._agent.put_back(first)
        except Exception as error:  # a fault of ours, which the lane's next delivery would meet too
            return await self._agent.outcomes.failed(first.claimed, error, is_of_lane=True)
        except BaseException:
            self._agent.put_back(first)  # cancelled: not tried
            raise
        self._agent.connected(+1)
        try:
            await self._send_all(first)
        finally:
            self._agent.connected(-1)
            await self._hosts.connection.close()

    async def _send_all(self, first: ClaimedDelivery) -> None:
        delivery: ClaimedDelivery | None = first
        sent = 0
        # a connection that is lost by now is `_send`'s to see: the delivery must not be
        while delivery is not None:
            await self._send_isolated(delivery, is_first=sent == 0)
            sent += 1
            most = self._agent.pace.rule.messages_per_connection
            has_more = self._hosts.connection.usable and (not most or sent < most)
            delivery = await self._agent.next_delivery(self._place) if has_more else None

    async def _send_isolated(self, delivery: ClaimedDelivery, *, is_first: bool) -> None:
        """Send one delivery; note a fault of ours with it, and end the connection.

        After such a fault nobody knows the connection's state any more. Raise the fault where the
        outcome is already recorded.
        """
        try:
            await self._send(delivery, is_first=is_first)
        except Exception as error:
            self._hosts.connection.abort()
            if not self._agent.has_in_hand(delivery.claimed):  # its outcome is recorded
                raise
            await self._agent.outcomes.failed(delivery.claimed, error, may_have_arrived=True)

    async def _send(self, delivery: ClaimedDelivery, *, is_first: bool) -> None:
        # It ran out while the connection was opened, or this process was stopped.
        if not self._shared.lanes.holds(self._agent.lane):
            return self._agent.put_back(delivery)
        had_ended = not self._hosts.connection.usable
        passed: list[HostAnswer] = []
        try:
            answer = await self._hosts.ask(delivery)
        except GivenUp:
            return self._agent.put_back(delivery)
        is_stale = False
        if not isinstance(answer.outcome, Delivered):
            is_stale = (
                _is_stale(answer.outcome, self._hosts.connection)
                and not is_first
                and delivery.tries == 0
            )
            answer = answer if is_stale else await self._hosts.ask_others(delivery, answer, passed)
        outcome, feedback = answer.outcome, self._agent.feedback
        for each in passed:
            assert isinstance(each.outcome, Deferred | Bounced)
            self._agent.outcomes.passed(delivery.claimed, each.outcome, **each.facts)
        if (
            advice := feedback.advice(
                outcome,
                is_farewell=had_ended and not passed,
                is_shared=self._agent.turns.is_shared,
                mail_from=delivery.claimed.mail_from,
            )
        ) is not None:
            assert isinstance(outcome, Deferred | Bounced)
            self._agent.outcomes.throttled(delivery.claimed, outcome, **answer.facts)
            await feedback.heed(advice, outcome.reply)
        elif is_stale:
            delivery.tries = 1
            self._shared.own_file.unmark([delivery.claimed.id])
            self._agent.put_back(delivery)  # the peer closed an idle connection: nothing was tried
        else:
            self._agent.outcomes.settle(delivery.claimed, outcome, **answer.facts)
            await self._learn(delivery.claimed, outcome, is_first=is_first or bool(passed))
        if passed and isinstance(outcome, Delivered):
            self._note_unwell(delivery, passed)
        if feedback.experience.is_news:
            await feedback.note_news()
        return await self._shared.ledger.has_room()

    def _note_unwell(self, delivery: ClaimedDelivery, passed: list[HostAnswer]) -> None:
        """Note the hosts that refused for now what another host took."""
        for each in passed:
            if not isinstance(each.outcome, Deferred):  # it offers less than the message needs
                continue
            recipient = delivery.claimed.recipient if each.outcome.stage is Stage.RCPT else ""
            given = each.facts["host"], each.facts["address"], each.outcome.reply
            experience = self._agent.feedback.experience
            if self._agent.lane.smarthost is None or recipient:
                experience.unwell(*given, now=time.time(), recipient=recipient)
            elif each.outcome.scope is FailureScope.SESSION:
                experience.put_aside(*given, now=time.time())
            else:  # it may be about this message alone
                experience.failed(*given, now=time.time())

    async def _learn(self, claimed: Claimed, outcome: Outcome, *, is_first: bool) -> None:
        feedback, busy, domain = self._agent.feedback, self._agent.busy, claimed.domain
        if is_about_null_path(outcome, claimed.mail_from):
            return
        if self._agent.turns.is_shared:
            if isinstance(outcome, Delivered):
                feedback.experience.delivered_to(domain)
            elif is_about_domain(outcome) and not feedback.trouble(domain, outcome.reply):
                return  # its neighbours may be well, and so the host
        match outcome:
            case Delivered():
                await feedback.delivered(busy=busy, address=self._hosts.connection.endpoint.address)
            case Deferred(reply, _, FailureScope.SESSION) if is_first:
                await feedback.refused(reply, busy=busy, is_alone=self._agent.is_alone)
            case Deferred(_, _, FailureScope.SESSION) | InDoubt():
                feedback.lost(busy=busy)
                if isinstance(outcome, InDoubt) and self._agent.lane.smarthost is not None:
                    endpoint = self._hosts.connection.endpoint
                    given = endpoint.host, endpoint.address, outcome.reply
                    feedback.experience.failed(*given, now=time.time())
            case _:
                pass

    async def _no_endpoint(
        self, delivery: ClaimedDelivery, error: NoEndpoint, *, seconds: float
    ) -> None:
        """Settle a delivery of whose site no host took the connection.

        Only this delivery's attempts tell so; the others have not tried.
        """
        agent, outcome = self._agent, error.outcome
        if error.is_addressless:
            return await self._addressless(delivery, error, seconds=seconds)
        facts: dict[str, Any] = {
            "host": error.host, "address": error.address, "seconds": seconds
        }  # fmt: skip
        if error.transcript and self._shared.orders.transcripts.keeps(
            delivery.claimed, is_delivered=False
        ):
            facts["transcript"] = error.transcript
        if isinstance(outcome, Bounced):
            return agent.outcomes.settle(delivery.claimed, outcome, **facts)
        if error.is_about_login:
            agent.outcomes.throttled(delivery.claimed, outcome, **facts)
            return await agent.feedback.not_let_in(outcome.reply, is_final=error.is_final)
        mail_from = delivery.claimed.mail_from
        advice = agent.feedback.advice(
            outcome, is_farewell=False, is_shared=False, mail_from=mail_from
        )
        is_alone, busy = agent.is_alone, agent.busy
        if not is_alone:
            agent.put_back(delivery)  # for the others, who are fewer with each refusal
        elif advice is not None or (
            agent.pace.rule.resets_are_throttling and outcome.stage is not Stage.DNS
        ):
            agent.outcomes.throttled(delivery.claimed, outcome, **facts)
        else:
            agent.outcomes.settle(delivery.claimed, outcome, **facts)
        if advice is not None and not isinstance(advice, SlowDown):
            return await agent.feedback.heed(advice, outcome.reply)
        return await agent.feedback.refused(outcome.reply, busy=busy, is_alone=is_alone)

    async def _addressless(
        self, delivery: ClaimedDelivery, error: NoEndpoint, *, seconds: float
    ) -> None:
        """Settle mail to a site of which no host has an address.

        The second look, hours later, is final: a domain with a typing mistake often has such hosts.
        """
        feedback, outcome = self._agent.feedback, error.outcome
        waited = feedback.experience.addressless(now=time.time())
        if waited >= retry_schedule.SECOND_LOOK:
            outcome = Bounced(
                local_reply(550, "5.4.4", outcome.reply.text), Stage.DNS, FailureScope.RECIPIENT
            )
            self._agent.outcomes.settle(delivery.claimed, outcome, seconds=seconds)
        else:
            assert isinstance(outcome, Deferred)
            self._agent.outcomes.put_off(
                delivery.claimed, outcome, wait=retry_schedule.SECOND_LOOK - waited, seconds=seconds
            )
        await feedback.note_news()


def _is_stale(outcome: Outcome, connection: Connection) -> bool:
    """Tell whether the session had ended, or a 421 ended it, before the peer judged this mail."""
    ended = (
        isinstance(outcome, Deferred)
        and outcome.stage is Stage.MAIL
        and outcome.scope is FailureScope.SESSION
    )
    return ended and not connection.usable
