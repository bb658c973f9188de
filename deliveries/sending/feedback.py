"""What a lane learns from each answer, and writes down: its pace, its pauses, and when only a
person can go on.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeGuard

from deliveries.backends import maillog
from deliveries.backends.database import DatabaseUnavailable
from deliveries.queue.lanes import Lanes
from deliveries.queue.leased import Learned, LeasedLane
from deliveries.routing.host_experience import Experience
from deliveries.sending import retry_schedule
from deliveries.shaping import backoff
from deliveries.shaping.backoff import Action, Block, Leave, Pattern, Pause, SlowDown
from deliveries.shaping.pace import Pace
from deliveries.smtp.authentication import ABOUT_LOGIN
from deliveries.smtp.obstacles import OBSTACLES
from deliveries.smtp.outcomes import Bounced, Deferred, FailureScope, Outcome, Stage
from deliveries.smtp.replies import Reply
from deliveries.smtp.transaction import NO_MEANING
from deliveries.steering import smarthost_alerts

logger = logging.getLogger(__name__)

BACK_OFFS_MOST = 20  # that one note writes
NOTE_EVERY = 10.0  # seconds between two notes of success on the lane's row
# Patterns that say nothing about our pace, but how this one host is
OF_HOST = frozenset({"session-full", "session-over", "shutdown", "too-many-errors"})


class Feedback:
    """Of one agent's lane.

    `is_over`: the lane is paused or closed, and nothing more is to be sent from it.
    """

    def __init__(self, lane: LeasedLane, lanes: Lanes, pace: Pace) -> None:
        self._lane = lane
        self._lanes = lanes
        self._pace = pace
        self.experience = Experience(lane.experience)
        self._failures = lane.failures
        self._noted_at = time.monotonic()
        self._is_success = False  # since then
        self._sent = 0  # since then, too
        self._back_offs: list[dict[str, Any]] = []
        # One at a time, as they came about: a success from before a pause would end it.
        self._writing = asyncio.Lock()
        self.is_to_note = False
        self.is_over = False

    def advice(
        self, outcome: Outcome, *, is_farewell: bool, is_shared: bool, mail_from: str
    ) -> Action | None:
        """Return what the answer says about our pace; None where it is about something else.

        `is_farewell`: it was said between two messages, when the host had heard nothing for a
        while. `is_shared`: by several recipient domains, one of which it may be about. `mail_from`
        is the message's sender.
        """
        if not isinstance(outcome, Deferred | Bounced) or outcome.reply.local:
            return None
        if self._lane.smarthost is not None and outcome.reply.code in ABOUT_LOGIN:
            return Block()
        pattern = backoff.find(outcome.reply, outcome.stage, self._pace.rule.name)
        if pattern is not None:
            return None if isinstance(pattern.action, Leave) else pattern.action
        if is_about_null_path(outcome, mail_from) or (is_shared and is_about_domain(outcome)):
            return None
        # A host that takes mail and then breaks off, for no reason that we know of: most probably
        # it has enough for now.
        if (
            outcome.reply.code == 421
            and not is_farewell
            and self._pace.rate.is_flowing(time.monotonic())
        ):
            return SlowDown()
        return None

    def is_about_host(self, outcome: Outcome, *, is_again: bool) -> bool:
        """Tell whether another host of the site should be asked at once (RFC 5321, section 5.1).

        That is any answer "for now" but those about the mailbox (RFC 3463: X.1 and X.2), one
        message or our name and pace with the receiver, whose other hosts would say the same.
        `is_again`: the delivery was put off before. Then the others are asked about the mailbox
        and the message too, since a host whose mail store is ill may say so for days.
        """
        if isinstance(outcome, Bounced) and outcome.reply in OBSTACLES:
            return True  # another host may offer what the message needs
        if not isinstance(outcome, Deferred):
            return False
        reply = outcome.reply
        if reply.local:
            return reply.code == 421 or reply.enhanced == NO_MEANING
        pattern = backoff.find(reply, outcome.stage, self._pace.rule.name)
        if (reply.enhanced or "")[:4] in ("4.1.", "4.2."):
            return is_again and (pattern is None or _is_left_to_others(pattern))
        if pattern is None or reply.code == 421:
            return pattern is None or not isinstance(pattern.action, Pause | Block)
        if _is_left_to_others(pattern):
            return is_again or pattern.name in OF_HOST
        return isinstance(pattern.action, SlowDown) and not pattern.provider

    async def delivered(self, *, busy: int, address: str) -> None:
        """Note that `address` took a message while `busy` connections were in use, this one
        included.
        """
        self.experience.took(address, now=time.time())
        now = time.monotonic()
        self._pace.accepted(now, busy=busy)
        self._sent += 1
        self.is_to_note = True
        self._is_success = True
        if self._failures or now - self._noted_at > NOTE_EVERY:
            self._failures = 0
            await self._note()

    async def heed(self, action: Action, reply: Reply) -> None:
        """Go slower, or not at all for a while, or not at all."""
        self.is_to_note = True
        match action:
            case SlowDown(kept):
                await self._slow_down(kept, reply)
            case Pause(seconds):
                self._pace.too_fast(time.monotonic())
                await self._pause(seconds * (1 + 0.1 * random.random()), reply)
            case Block():
                self.is_over = True
                self._backed_off("closed", reply)
                maillog.lane_closed(self._lane.id, site=self._lane.site, reason=str(reply))
                await self._write(self._lanes.close, str(reply))
                if self._lane.smarthost is not None:
                    await smarthost_alerts.warn(self._lane.smarthost, str(reply))

    async def refused(self, reply: Reply, *, busy: int, is_alone: bool) -> None:
        """Heed that the site refuses or loses sessions.

        With others open it has enough of us, and one less must do; alone, it is left alone.
        """
        self.is_to_note = True
        self._pace.window.trouble(busy=busy)
        if not is_alone:
            return
        self._failures += 1
        most = (
            retry_schedule.THROTTLED_LANE_MOST
            if self._pace.rule.resets_are_throttling and reply.local
            else retry_schedule.LANE_MOST
        )
        await self._pause(
            retry_schedule.lane_pause(self._failures, most=most, spread=random.random()), reply
        )

    async def not_let_in(self, reply: Reply, *, is_final: bool) -> None:
        """Heed that a smarthost refuses our log-in, or that we have none: about us, whatever the
        mail. A person must look, or it is tried again later.
        """
        if is_final and not self.is_over:
            await self.heed(Block(), reply)
        elif not is_final:
            await self.refused(reply, busy=1, is_alone=True)

    async def note_news(self) -> None:
        """Write down at once what a host was found to do.

        People ask for it, and the next holder should not have to find it.
        """
        await self._note()

    def trouble(self, domain: str, reply: Reply) -> bool:
        """Note that the host broke off at a recipient of this domain, whose mail waits now.

        Return whether it is the site's: with two domains.
        """
        self.is_to_note = True
        return self.experience.trouble(domain, reply, now=time.time(), wait=_wait)

    def lost(self, *, busy: int) -> None:
        """Note that a session broke off in the middle of its work."""
        self._pace.window.trouble(busy=busy)

    def learned(self) -> Learned:
        """Return what is to be written down now; it then counts as noted."""
        self._noted_at = time.monotonic()
        is_success, self._is_success, self.is_to_note = self._is_success, False, False
        sent, self._sent = self._sent, 0
        back_offs, self._back_offs = tuple(self._back_offs), []
        allowed = self._pace.per_second()
        return Learned(
            window=self._pace.window.size,
            rate=allowed[0] if allowed else None,
            provider=self._pace.rule.name,
            pace=self._pace.snapshot(now=self._noted_at, wall=time.time()),
            experience=self.experience.snapshot(now=time.time()),
            is_success=is_success and not self.is_over,
            allowed=self._pace.allowed(),
            learned=self._pace.rate.allowed(),
            sent=sent,
            back_offs=back_offs,
        )

    def _backed_off(self, kind: str, reply: Reply, **more: float) -> None:
        """Keep a back-off for the lane's history, which the next note writes; of many in a row the
        first ones.
        """
        if len(self._back_offs) < BACK_OFFS_MOST:
            entry = {"at": time.time(), "kind": kind, "reply": str(reply)}
            self._back_offs.append(entry | more)

    async def _slow_down(self, kept: float, reply: Reply) -> None:
        helped = self._pace.too_fast(time.monotonic(), kept)
        self._backed_off("slowed", reply, rate=self._pace.rate.allowed() or 0.0)
        maillog.lane_slowed(
            self._lane.id,
            site=self._lane.site,
            rate=self._pace.rate.allowed() or 0.0,
            reason=str(reply),
        )
        if not helped:
            self._failures += 1
            await self._pause(
                retry_schedule.lane_pause(
                    self._failures, most=retry_schedule.THROTTLED_LANE_MOST, spread=random.random()
                ),
                reply,
            )

    async def _pause(self, seconds: float, reply: Reply) -> None:
        if self.is_over:
            return
        self.is_over = True
        self._backed_off("paused", reply, seconds=seconds)
        maillog.lane_paused(self._lane.id, site=self._lane.site, seconds=seconds, reason=str(reply))
        await self._write(self._lanes.pause, self._failures, seconds, str(reply))

    async def _note(self) -> None:
        learned = self.learned()
        if not await self._write(self._lanes.note, learned):
            self.is_to_note = True  # with the next note, or when the lane is given back
            self._is_success = self._is_success or learned.is_success

    async def _write(self, write: Callable[..., Awaitable[None]], *given: Any) -> bool:
        """Write what a lane learned, or log that it could not be written; tell whether it was.

        It is a help, not a promise: if it cannot be written now, it will be learned again.
        """
        try:
            async with self._writing:
                await write(self._lane, *given)
        except DatabaseUnavailable as error:
            logger.warning("lane=%s could not be updated: %s", self._lane.id, error)
            return False
        return True


def is_about_domain(outcome: Outcome) -> TypeGuard[Deferred]:
    """Tell if it may be the recipient's domain at which the host broke off, rather than the host
    that has enough.

    That is so at RCPT, and where the connection was lost before the reply to MAIL: RCPT stands in
    the same packet, and who goes at it takes the replies along that it had gathered (RFC 2920,
    section 3.2). A 421 that is said to MAIL is about us: all mail has a reverse-path of our own
    domain.
    """
    if not isinstance(outcome, Deferred) or outcome.scope is not FailureScope.SESSION:
        return False
    return outcome.stage is Stage.RCPT or (outcome.stage is Stage.MAIL and outcome.reply.local)


def is_about_null_path(outcome: Outcome, mail_from: str) -> bool:
    """Tell whether the host broke off at `MAIL FROM:<>`, which some refuse though RFC 5321 (section
    4.5.5) asks them to take it. It says nothing about mail that has a sender.
    """
    return (
        isinstance(outcome, Deferred)
        and outcome.scope is FailureScope.SESSION
        and outcome.stage is Stage.MAIL
        and not outcome.reply.local
        and not mail_from
    )


def _is_left_to_others(pattern: Pattern) -> bool:
    """Tell whether anybody's hosts say so, and it is none of our pace's business."""
    return isinstance(pattern.action, Leave) and not pattern.provider


def _wait(times: int) -> float:
    return retry_schedule.lane_pause(times, spread=random.random())
