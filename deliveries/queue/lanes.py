"""The lanes' leases and the claims within them: who may send what, decided in PostgreSQL's time."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

from deliveries.backends.database import Database, Row
from deliveries.models import Lane
from deliveries.queue import sandboxed, smarthost_lanes
from deliveries.queue.give_backs import GiveBacks
from deliveries.queue.grouping import Grouping
from deliveries.queue.lane_statements import (
    CLAIMS,
    CLOSE,
    CONTENT,
    DEEPER,
    DUE,
    EACH,
    GIVEN,
    LEASE,
    LEAVE,
    MOVE,
    NOTE,
    PAUSE,
    PROBE,
    RELEASE,
    RENEW,
    STRAYS,
)
from deliveries.queue.leased import Claimed, Learned, LeasedLane
from deliveries.queue.smarthost_lanes import WayOut
from domains.foundation.process.pulse import machine_seconds

# A lane whose holder nobody can prove dead is free after this long; the living renew it thrice.
LEASE_SECONDS = 30.0

AT_ONCE = 10  # lanes that one statement claims for
EVERY = 0.025  # seconds between two statements, where nothing is urgent and few lanes ask


@dataclass(frozen=True, slots=True)
class Asked:
    """What one lane's agent asks a claim for; `each` is how many rows of each flow are looked
    at.
    """

    lane: int
    epoch: int
    is_forced: bool
    most: int
    least: int
    after: int
    domains: str | None  # with blanks between; None: all
    besides: str  # likewise
    each: int


class Lanes:
    """The lanes as one holder sees them."""

    def __init__(
        self,
        database: Database,
        holder: UUID,
        notes: Database | None = None,
        contents: Database | None = None,
        urgent: Database | None = None,
    ) -> None:
        """Begin without a lane, for this `holder`.

        `notes` takes what need not survive a crash of PostgreSQL, and so need not wait for its
        disk. `contents` reads large contents, and `urgent` claims what is in a hurry while another
        claim is under way.
        """
        self._database = database
        self._notes = notes or database
        self._contents = contents or database
        self._urgent = urgent or database
        self.holder = holder
        self._until: dict[int, float] = {}  # of each lease, on our own clock
        self._shared: set[int] = set()
        self._flows: dict[int, int] = {}  # how many each lane had last
        self._claims: Grouping[Asked, list[Row]] = Grouping(self._claim, most=AT_ONCE, every=EVERY)
        self._give_backs = GiveBacks(database)

    def holds(self, lane: LeasedLane) -> bool:
        """Tell if the lease runs for certain: PostgreSQL may be out of reach, or this process or
        its machine have been stopped for a while.
        """
        return machine_seconds() < self._until.get(lane.id, 0.0)

    async def due(self, sources: Collection[str] = ()) -> tuple[set[int], set[int]]:
        """Return lanes with work to do: those that nobody holds, and those that we hold.

        Of lanes with a source of ours only those count whose source this node can bind: `sources`.
        """
        given = {"holder": self.holder, "sources": list(sources)}
        rows = await self._database.fetch(DUE, given)
        return {lane for lane, ours in rows if not ours}, {lane for lane, ours in rows if ours}

    async def lease(
        self, lanes: Collection[int], most: int, sources: Collection[str] = ()
    ) -> list[LeasedLane]:
        """Lease at most `most` of these lanes and return those that are ours now.

        Lanes that others hold, that are paused or whose source this node has not are left out.
        """
        given = {
            "sources": list(sources),
            "lanes": list(lanes),
            "most": most,
            "holder": self.holder,
            "seconds": LEASE_SECONDS,
        }
        until = machine_seconds() + LEASE_SECONDS
        leased = [LeasedLane(*row) for row in await self._database.fetch(LEASE, given)]
        self._until |= {lane.id: until for lane in leased}
        self._shared.update(lane.id for lane in leased if lane.is_shared)
        return leased

    async def renew(self, lanes: Collection[int]) -> set[int]:
        """Renew our leases and return the lanes that are still ours."""
        given = {"lanes": list(lanes), "holder": self.holder, "seconds": LEASE_SECONDS}
        until = machine_seconds() + LEASE_SECONDS
        rows = await self._database.fetch(RENEW, given)
        self._until = {lane: until for lane, _ in rows}
        self._shared.update(lane for lane, is_shared in rows if is_shared)
        return set(self._until)

    def is_shared(self, lane: LeasedLane) -> bool:
        """Tell if several recipient domains lead there, as it was found when the lease was last
        taken or renewed.
        """
        return lane.id in self._shared

    async def release(self, lane: LeasedLane, learned: Learned | None = None) -> None:
        self._flows.pop(lane.id, None)
        self._shared.discard(lane.id)
        given = {"lane": lane.id, "epoch": lane.epoch, "holder": self.holder}
        if learned is None:
            await self._notes.fetch(RELEASE, given)
        else:
            await self._notes.fetch(LEAVE, given | _columns(learned))

    async def claim(
        self,
        lane: LeasedLane,
        most: int,
        *,
        domains: Collection[str] = (),
        least: int = 0,
        after: int = -1,
        besides: Collection[str] = (),
        is_shared: bool = False,
        is_urgent: bool = False,
    ) -> list[Claimed]:
        """Claim at most `most` due deliveries of the lane, in the order in which they should leave.

        `least` is the lowest priority wanted, `after` the flow whose turn was the last. Only these
        `domains` are taken, where there are any, and those `besides` are skipped. Where the lane
        `is_shared` by several domains, they are looked for.
        What `is_urgent` waits for nobody else's claim.
        """
        # Of many flows a few rows of each: ten times what is taken, all together. Of several
        # domains more, to find them.
        wanted = min(most * (DEEPER if is_shared else 1), most * 10 // self._flows.get(lane.id, 1))
        each = next((each for each in EACH if each >= wanted), EACH[-1])
        asked = Asked(
            lane.id, lane.epoch, lane.is_forced, most, least, after, " ".join(domains) or None,
            " ".join(besides), each,
        )  # fmt: skip
        # Domains are grouped by who asks: a lane stands in a statement once.
        rows = (
            await self._claims.ask(asked, is_urgent=is_urgent)
            if asked.domains is None
            else (await self._claim([asked], False))[0]
        )
        if rows:
            self._flows[lane.id] = rows[0][1]
        return await self._on_probation([Claimed(*row[2:]) for row in rows])

    async def _claim(self, group: list[Asked], is_urgent: bool) -> list[list[Row]]:
        """Claim for each that asked; return their rows."""
        given = {name: [getattr(asked, name) for asked in group] for name in GIVEN}
        database = self._urgent if is_urgent else self._database
        rows = await database.fetch(
            CLAIMS[max(asked.each for asked in group)], given, is_binary=True
        )
        found: dict[int, list[Row]] = {asked.lane: [] for asked in group}
        for row in rows:
            found[row[0]].append(row)
        return [found[asked.lane] for asked in group]

    async def _on_probation(self, claimed: list[Claimed]) -> list[Claimed]:
        """Clear the suppression of those that are chosen to try a suppressed address."""
        if not (trying := [each for each in claimed if each.may_try]):
            return claimed
        given = {
            "suppressions": [each.suppression for each in trying],
            "deliveries": [each.id for each in trying],
        }
        chosen = {id_ for (id_,) in await self._database.fetch(PROBE, given)}
        return [replace(each, suppressed=None) if each.id in chosen else each for each in claimed]

    async def unclaim(self, lane: LeasedLane, ids: Sequence[UUID]) -> None:
        """Give back what was claimed and not tried."""
        await self._give_backs.give_back(lane.epoch, ids)

    async def free_strays(self, lane: LeasedLane, *, besides: Sequence[UUID]) -> None:
        """Give back all of the lane's claims but these: a claim may have been committed though its
        answer was lost.
        """
        await self._database.fetch(
            STRAYS, {"lane": lane.id, "epoch": lane.epoch, "besides": list(besides)}
        )

    async def reroute(self, lane: LeasedLane, ids: Sequence[UUID]) -> None:
        """Give these back to be routed anew."""
        await self._database.fetch(
            MOVE, {"ids": list(ids), "epoch": lane.epoch, "to": Lane.ROUTING}
        )

    async def lead_home(self, lane: LeasedLane, ids: Sequence[UUID]) -> int:
        """Give these back to the site's own lane, which leads them to another source; return it."""
        home = lane.home or Lane.ROUTING
        await self._database.fetch(MOVE, {"ids": list(ids), "epoch": lane.epoch, "to": home})
        return home

    async def lead_out(self, lane: LeasedLane, ids: Sequence[UUID], target: WayOut) -> int:
        """Give these back to the lane of a smarthost; return it."""
        to = await smarthost_lanes.lane_of(self._database, target)
        await self._database.fetch(MOVE, {"ids": list(ids), "epoch": lane.epoch, "to": to})
        return to

    async def sandbox(self, lane: LeasedLane, ids: Sequence[UUID]) -> None:
        """Give these back as the sandbox's."""
        await sandboxed.lead(self._database, lane, ids)

    async def park(self, lane: LeasedLane, ids: Sequence[UUID]) -> None:
        """Put these aside until a person lets them go."""
        await self._database.fetch(MOVE, {"ids": list(ids), "epoch": lane.epoch, "to": Lane.PARKED})

    async def content(self, message: UUID) -> bytes | None:
        """Return the compressed content of a message of any size, or None."""
        rows = await self._contents.fetch(CONTENT, {"id": message}, is_binary=True)
        return rows[0][0] if rows else None

    async def note(self, lane: LeasedLane, learned: Learned) -> None:
        await self._notes.fetch(NOTE, _columns(learned) | {"lane": lane.id, "epoch": lane.epoch})

    async def pause(self, lane: LeasedLane, failures: int, seconds: float, reason: str) -> None:
        given = {
            "failures": failures,
            "seconds": seconds,
            "reason": reason,
            "lane": lane.id,
            "epoch": lane.epoch,
        }
        await self._database.fetch(PAUSE, given)

    async def close(self, lane: LeasedLane, reason: str) -> None:
        """Close the lane until a person opens it."""
        await self._database.fetch(CLOSE, {"reason": reason, "lane": lane.id, "epoch": lane.epoch})


def _columns(learned: Learned) -> dict[str, Any]:
    return asdict(learned) | {
        "pace": json.dumps(learned.pace),
        "experience": json.dumps(learned.experience),
        "back_offs": json.dumps(learned.back_offs),
    }
