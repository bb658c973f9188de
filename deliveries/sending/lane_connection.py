"""One sender of an agent: a connection, and the messages that go over it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings

from deliveries.backends.database import DatabaseUnavailable
from deliveries.bounces import feedback_id, return_path
from deliveries.capacity.concurrency import Place
from deliveries.capacity.sockets import Slot
from deliveries.message import compression, reencoding
from deliveries.message.priorities import Priority
from deliveries.queue.leased import Claimed, LeasedLane
from deliveries.sending import retry_schedule
from deliveries.sending.claimed_deliveries import ClaimedDelivery
from deliveries.sending.domain_turns import DomainTurns
from deliveries.sending.endpoints import Endpoints, NoEndpoint
from deliveries.sending.feedback import Feedback, is_about_domain
from deliveries.sending.shared import SharedResources
from deliveries.shaping.backoff import SlowDown
from deliveries.shaping.pace import Pace
from deliveries.shaping.providers import ReceiverRule
from deliveries.smtp.connection import Connection, ConnectionFailed, Timeouts, UnsafeMail
from deliveries.smtp.mail import Mail
from deliveries.smtp.obstacles import NOT_8BIT
from deliveries.smtp.outcomes import Bounced, Deferred, Delivered, InDoubt, Outcome, Scope, Stage
from deliveries.smtp.replies import local_reply
from deliveries.smtp.timeouts import RFC_5321
from deliveries.smtp.transaction import is_same

logger = logging.getLogger(__name__)

SMALL = 262_144  # content above this is loaded one at a time, within the memory budget
SILENCE = 3.0  # seconds for which a host may keep silent before others go on without waiting for it
# addresses that answer within one attempt: RFC 5321, section 5.1, wants two at least and allows a
# limit
MOST_HOSTS = 6
CROWDED_GREETING = 30.0  # seconds for a greeting while very many hosts are silent


class Office(Protocol):
    """The agent, as its senders need it."""

    lane: LeasedLane
    shared: SharedResources
    pace: Pace
    feedback: Feedback
    turns: DomainTurns
    openings: set[asyncio.Future[Any]]

    @property
    def busy(self) -> int:
        """Senders that have something in hand."""

    @property
    def is_alone(self) -> bool:
        """Whether no other sender has a connection."""

    async def next_load(self, place: Place) -> ClaimedDelivery | None: ...
    def put_back(self, load: ClaimedDelivery) -> None: ...
    def settle(self, claimed: Claimed, outcome: Outcome, **facts: object) -> None: ...
    def passed(self, claimed: Claimed, outcome: Deferred | Bounced, **facts: object) -> None: ...
    def put_off(
        self, claimed: Claimed, outcome: Deferred, *, wait: float, **facts: object
    ) -> None: ...
    def throttled(self, claimed: Claimed, outcome: Deferred | Bounced, **facts: object) -> None: ...
    async def failed(
        self,
        claimed: Claimed,
        error: Exception,
        *,
        may_have_arrived: bool = False,
        is_of_lane: bool = False,
    ) -> None: ...
    def has_in_hand(self, claimed: Claimed) -> bool: ...
    def connected(self, by: int) -> None: ...


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """What one host said to a message, and the attempt's facts (host, address, source, tls,
    seconds).
    """

    outcome: Outcome
    facts: dict[str, Any]


class LaneConnection:
    """Runs until there is nothing to send, its connection has carried enough, or the site has
    enough of us.
    """

    def __init__(self, office: Office) -> None:
        self._office = office
        self._shared = office.shared
        self._place = office.shared.carrying.place()
        self._slot: Slot
        self._endpoints: Endpoints
        self._connection: Connection
        self._on_road: ClaimedDelivery | None = (
            None  # the mail whose hosts in order the road leads along
        )

    async def run(self) -> None:
        try:
            if (load := await self._office.next_load(self._place)) is not None:
                async with self._shared.sockets.slot(is_urgent=load.is_urgent) as self._slot:
                    await self._carry(load)
        finally:
            self._place.leave()

    async def _carry(self, first: ClaimedDelivery) -> None:
        started = time.monotonic()
        try:
            self._on_road = first
            self._connection = await self._open(self._first_host())
        except NoEndpoint as error:
            return await self._no_road(first, error, seconds=time.monotonic() - started)
        except (
            Exception
        ) as error:  # a fault of ours, which the next delivery of the lane would meet as well
            return await self._office.failed(first.claimed, error, is_of_lane=True)
        except BaseException:
            self._office.put_back(first)  # cancelled: not tried
            raise
        self._office.connected(+1)
        try:
            await self._send_all(first)
        finally:
            self._office.connected(-1)
            await self._connection.close()

    async def _open(self, connecting: Coroutine[Any, Any, Connection]) -> Connection:
        """Others go on while a host keeps silent."""
        opening = asyncio.ensure_future(connecting)
        self._office.openings.add(opening)
        try:
            done, _ = await asyncio.wait({opening}, timeout=SILENCE)
            if not done:
                self._slot.step_aside()
            connection = await opening
        except asyncio.CancelledError:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            raise
        finally:
            self._office.openings.discard(opening)
        await self._slot.step_in()
        return connection

    async def _first_host(self) -> Connection:
        while True:
            self._endpoints = self._new_road()
            try:
                return await self._endpoints.next()
            except NoEndpoint as error:
                if not error.is_ours:
                    raise
                await (
                    self._shared.router.answers()
                )  # the receiver has done nothing: no try is used up, and no lane paused

    def _new_road(self, besides: str = "") -> Endpoints:
        rule = self._office.pace.rule
        timeouts = timeouts_of(rule)
        if self._shared.sockets.is_crowded:
            timeouts = replace(timeouts, greeting=min(timeouts.greeting, CROWDED_GREETING))
        experience = self._office.feedback.experience
        return Endpoints(
            self._office.lane,
            self._shared.router,
            experience,
            tls=rule.tls or "",
            timeouts=timeouts,
            besides=besides,
        )

    async def _send_all(self, first: ClaimedDelivery) -> None:
        load: ClaimedDelivery | None = first
        sent = 0
        while (
            load is not None
        ):  # a connection that is lost by now is `_send`'s to see: the load must not be
            await self._send_isolated(load, is_first=sent == 0)
            sent += 1
            most = self._office.pace.rule.messages_per_connection
            has_more = self._connection.usable and (not most or sent < most)
            load = await self._office.next_load(self._place) if has_more else None

    async def _send_isolated(self, load: ClaimedDelivery, *, is_first: bool) -> None:
        """A fault of ours at one delivery is noted with it, and ends the connection, of whose
        state nobody knows any more.
        """
        try:
            await self._send(load, is_first=is_first)
        except Exception as error:
            self._connection.abort()
            if not self._office.has_in_hand(load.claimed):  # its outcome is recorded
                raise
            await self._office.failed(load.claimed, error, may_have_arrived=True)

    async def _send(self, load: ClaimedDelivery, *, is_first: bool) -> None:
        if not self._shared.lanes.holds(
            self._office.lane
        ):  # it ran out while the connection was opened, or this process was stopped
            return self._office.put_back(load)
        had_ended = not self._connection.usable
        passed: list[HostAnswer] = []
        answer = await self._ask(load)
        is_stale = False
        if not isinstance(answer.outcome, Delivered):
            is_stale = (
                _is_stale(answer.outcome, self._connection) and not is_first and load.tries == 0
            )
            answer = answer if is_stale else await self._ask_others(load, answer, passed)
        outcome, feedback = answer.outcome, self._office.feedback
        for each in passed:
            assert isinstance(each.outcome, Deferred | Bounced)
            self._office.passed(load.claimed, each.outcome, **each.facts)
        if (
            advice := feedback.advice(
                outcome,
                is_farewell=had_ended and not passed,
                is_shared=self._office.turns.is_shared,
            )
        ) is not None:
            assert isinstance(outcome, Deferred | Bounced)
            self._office.throttled(load.claimed, outcome, **answer.facts)
            await feedback.heed(advice, outcome.reply)
        elif is_stale:
            load.tries = 1
            self._shared.own_file.unmark([load.claimed.id])
            self._office.put_back(load)  # the peer closed an idle connection: nothing was tried
        else:
            self._office.settle(load.claimed, outcome, **answer.facts)
            await self._learn(load.claimed.domain, outcome, is_first=is_first or bool(passed))
        if passed and isinstance(outcome, Delivered):
            self._note_unwell(load, passed)
        if feedback.experience.is_news:
            await feedback.note_news()
        return await self._shared.ledger.has_room()

    async def _ask_others(
        self, load: ClaimedDelivery, answer: HostAnswer, passed: list[HostAnswer]
    ) -> HostAnswer:
        """Ask the next hosts, and where none takes the message as it is, the best one for its
        other form; the last answer.

        Those before it go to `passed`.
        """
        while self._may_go_on(load, answer.outcome, len(passed)) and await self._next_host(load):
            passed.append(answer)
            answer = await self._ask(load)
        if _wants_seven_bit(load, [*passed, answer]) and await self._same_hosts_again(
            load, is_only=not passed
        ):
            load.is_reencoded = True
            passed += [answer] if passed else []
            answer = await self._ask(load)
        return answer

    async def _ask(self, load: ClaimedDelivery) -> HostAnswer:
        """What the host that we are connected to says to the mail."""
        started = time.monotonic()
        outcome = await self._offer(load)
        connection = self._connection
        facts: dict[str, Any] = {
            "host": connection.endpoint.host, "address": connection.endpoint.address,
            "source": connection.local_address,
            "tls": connection.tls, "seconds": time.monotonic() - started,
        }  # fmt: skip
        return HostAnswer(outcome, facts)

    def _may_go_on(self, load: ClaimedDelivery, outcome: Outcome, hosts: int) -> bool:
        if isinstance(outcome, Delivered) or hosts + 1 >= MOST_HOSTS or load.is_late:
            return False
        return self._shared.lanes.holds(self._office.lane) and self._office.feedback.is_about_host(
            outcome
        )

    async def _next_host(self, load: ClaimedDelivery) -> bool:
        """Go on to the next host that takes a connection; false where there is none, and then we
        have none either.
        """
        if load is not self._on_road:
            self._endpoints = self._new_road(besides=self._connection.endpoint.address)
        self._on_road = load
        if not await self._endpoints.has_more():
            return False
        try:
            await self._change(self._endpoints.next())
        except NoEndpoint:
            return False
        return True

    async def _same_hosts_again(self, load: ClaimedDelivery, *, is_only: bool) -> bool:
        """Be connected to the best host that gives a connection, to offer it the message in
        another form.
        """
        if is_only and self._connection.usable:
            return True
        self._endpoints, self._on_road = self._new_road(), load
        try:
            await self._change(self._endpoints.next())
        except NoEndpoint:
            return False
        return True

    def _note_unwell(self, load: ClaimedDelivery, passed: list[HostAnswer]) -> None:
        """Another host took what these refused for now."""
        for each in passed:
            if isinstance(each.outcome, Bounced):  # it offers less than the message needs
                continue
            is_of_recipient = (
                isinstance(each.outcome, Deferred) and each.outcome.stage is Stage.RCPT
            )
            recipient = load.claimed.recipient if is_of_recipient else ""
            given = each.facts["host"], each.facts["address"], each.outcome.reply
            self._office.feedback.experience.unwell(*given, now=time.time(), recipient=recipient)

    async def _offer(self, load: ClaimedDelivery) -> Outcome:
        """Offer the mail to this host: again at once, over another connection, without what it may
        have broken off for.
        """
        outcome = await self._outcome(self._connection, load)
        without: frozenset[str] = frozenset()
        while (
            not isinstance(outcome, Delivered)
            and (blamed := self._connection.way_back)
            and blamed not in without
        ):
            without |= {blamed}
            try:
                await self._change(
                    self._endpoints.again(self._connection.endpoint, without=without)
                )
            except ConnectionFailed:
                break
            again = await self._outcome(self._connection, load)
            if not is_same(again, outcome):
                self._office.feedback.experience.peer(self._connection.endpoint.host).breaks(
                    blamed, outcome.reply, now=time.time()
                )
            outcome = again
        return outcome

    async def _change(self, connecting: Coroutine[Any, Any, Connection]) -> None:
        """Go on over another connection, in place of this one."""
        await self._connection.close()
        self._connection = await self._open(connecting)

    async def _learn(self, domain: str, outcome: Outcome, *, is_first: bool) -> None:
        feedback, busy = self._office.feedback, self._office.busy
        if self._office.turns.is_shared:
            if isinstance(outcome, Delivered):
                feedback.experience.delivered_to(domain)
            elif is_about_domain(outcome) and not feedback.trouble(domain, outcome.reply):
                return  # its neighbours may be well, and so the host
        match outcome:
            case Delivered():
                await feedback.delivered(busy=busy, address=self._connection.endpoint.address)
            case Deferred(reply, _, Scope.SESSION) if is_first:
                await feedback.refused(reply, busy=busy, is_alone=self._office.is_alone)
            case Deferred(_, _, Scope.SESSION) | InDoubt():
                feedback.lost(busy=busy)
            case _:
                pass

    async def _no_road(self, load: ClaimedDelivery, error: NoEndpoint, *, seconds: float) -> None:
        """No host of the site took the connection.

        One delivery tells so in its attempts; the others have not tried.
        """
        office, outcome = self._office, error.outcome
        if error.is_addressless:
            return await self._addressless(load, error, seconds=seconds)
        facts = {"host": error.host, "address": error.address, "seconds": seconds}
        if isinstance(outcome, Bounced):
            return office.settle(load.claimed, outcome, **facts)
        advice = office.feedback.advice(outcome, is_farewell=False, is_shared=False)
        is_alone, busy = office.is_alone, office.busy
        if not is_alone:
            office.put_back(load)  # for the others, who are fewer with each refusal
        elif advice is not None or (
            office.pace.rule.resets_are_throttling and outcome.stage is not Stage.DNS
        ):
            office.throttled(load.claimed, outcome, **facts)
        else:
            office.settle(load.claimed, outcome, **facts)
        if advice is not None and not isinstance(advice, SlowDown):
            return await office.feedback.heed(advice, outcome.reply)
        return await office.feedback.refused(outcome.reply, busy=busy, is_alone=is_alone)

    async def _addressless(
        self, load: ClaimedDelivery, error: NoEndpoint, *, seconds: float
    ) -> None:
        """The second look, hours later, is final: a domain with a typing mistake often has such
        hosts.
        """
        feedback, outcome = self._office.feedback, error.outcome
        waited = feedback.experience.addressless(now=time.time())
        if waited >= retry_schedule.SECOND_LOOK:
            outcome = Bounced(
                local_reply(550, "5.4.4", outcome.reply.text), Stage.DNS, Scope.RECIPIENT
            )
            self._office.settle(load.claimed, outcome, seconds=seconds)
        else:
            assert isinstance(outcome, Deferred)
            self._office.put_off(
                load.claimed, outcome, wait=retry_schedule.SECOND_LOOK - waited, seconds=seconds
            )
        await feedback.note_news()

    async def _outcome(self, connection: Connection, load: ClaimedDelivery) -> Outcome:
        claimed = load.claimed
        try:
            async with self._shared.memory.share(claimed.size if load.data is None else 0):
                data = load.data or await self._shared.lanes.large(claimed.message_id)
                if data is None:
                    return _unsendable("the content of the message is no longer stored")
                content = await _decompress(data, claimed.size)
                if load.is_reencoded:
                    content = await self._reencoded(claimed, content)
                mail = self._mail(claimed, content, is_last_resort=load.is_reencoded)
                self._shared.own_file.mark(claimed.id)
                return await connection.send(mail)
        except (UnsafeMail, ValueError) as error:
            logger.error("message=%s cannot be sent: %s", claimed.message_id, error)
            return _unsendable("the stored message is damaged")
        except DatabaseUnavailable:
            return Deferred(
                local_reply(451, "4.3.0", "The content could not be read"),
                Stage.MAIL,
                Scope.MESSAGE,
            )

    async def _reencoded(self, claimed: Claimed, content: bytes) -> bytes:
        """In ASCII and with new signatures; unsigned where the keys cannot be had, since a false
        signature is worse than none.
        """
        again = await asyncio.to_thread(reencoding.seven_bit, content)
        if again == content:
            return content
        try:
            signers = await self._shared.keys.signers(
                claimed.project_id, reencoding.signing_domain(content)
            )
        except (ValueError, OSError) as error:
            logger.warning(
                "message=%s goes unsigned, since it was re-encoded: %s", claimed.message_id, error
            )
            signers = ()
        return await asyncio.to_thread(reencoding.signed_anew, again, signers, now=int(time.time()))

    def _mail(self, claimed: Claimed, content: bytes, *, is_last_resort: bool) -> Mail:
        reverse_path = self._reverse_path(claimed.id) if claimed.mail_from else ""
        on_top = feedback_id.field(
            claimed.id, key=self._shared.feedback_key, now=self._shared.now()
        )
        eight_bit = claimed.eight_bit and not (is_last_resort and content.isascii())
        given = (claimed.smtputf8, eight_bit, Priority(claimed.priority), on_top, is_last_resort)
        return Mail(reverse_path, claimed.recipient, feedback_id.without(content), *given)

    def _reverse_path(self, delivery: UUID) -> str:
        local_part = return_path.make(
            delivery, key=self._shared.return_path_key, now=self._shared.now()
        )
        return f"{local_part}@{settings.EKIDEN_HOSTNAME}"


def timeouts_of(rule: ReceiverRule) -> Timeouts:
    """RFC 5321's, but for what the rule says."""
    given = {
        "connect": rule.connect_timeout, "greeting": rule.greeting_timeout,
        "ehlo": rule.reply_timeout, "mail": rule.reply_timeout,
        "rcpt": rule.reply_timeout, "body": rule.body_timeout,
    }  # fmt: skip
    return replace(
        RFC_5321, **{stage: float(seconds) for stage, seconds in given.items() if seconds}
    )


async def _decompress(data: bytes, size: int) -> bytes:
    if size <= SMALL:
        return compression.decompress(data, most=size)
    return await asyncio.to_thread(compression.decompress, data, most=size)


def _wants_seven_bit(load: ClaimedDelivery, answers: list[HostAnswer]) -> bool:
    """Whether a host would have taken the message in ASCII, and none took it."""
    is_refused = isinstance(answers[-1].outcome, Deferred | Bounced)
    return (
        is_refused
        and not load.is_reencoded
        and any(each.outcome.reply is NOT_8BIT for each in answers)
    )


def _is_stale(outcome: Outcome, connection: Connection) -> bool:
    """The session had ended, or was ended by a 421, before the peer judged this mail."""
    ended = (
        isinstance(outcome, Deferred)
        and outcome.stage is Stage.MAIL
        and outcome.scope is Scope.SESSION
    )
    return ended and not connection.usable


def _unsendable(text: str) -> Bounced:
    return Bounced(local_reply(554, "5.6.0", text), Stage.MAIL, Scope.MESSAGE)
