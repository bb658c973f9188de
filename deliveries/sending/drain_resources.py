"""Makes what a drain has: its connections, its file, what its agents share."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

from django.conf import settings

from deliveries.backends.database import Database
from deliveries.backends.job_requests import JobRequests
from deliveries.bounces.keys import feedback_key, return_path_key
from deliveries.capacity import open_files
from deliveries.capacity.concurrency import Concurrency
from deliveries.capacity.inflow import Board, DeliveryProgress
from deliveries.capacity.lookups import AT_ONCE, LookupFailures
from deliveries.capacity.memory_budget import ByteBudget
from deliveries.capacity.sockets import SHARE_OF_SILENT, Sockets
from deliveries.message.signing import SigningKeys
from deliveries.queue import drain_files, unwritten_outcomes
from deliveries.queue.drain_files import HolderFile
from deliveries.queue.lanes import Lanes
from deliveries.queue.ledger import ROOM, Ledger
from deliveries.queue.own_faults import Faults
from deliveries.queue.source_lanes import SourceLanes
from deliveries.queue.takeover import Succession
from deliveries.queue.wakeups import WakeUps
from deliveries.routing.destinations import Destinations
from deliveries.routing.resolver import Router
from deliveries.sending.controls import Controls
from deliveries.sending.provider_shares import ProviderShares
from deliveries.sending.shared import SharedResources
from deliveries.sending.smarthost_logins import SmarthostLogins
from deliveries.sending.smarthost_probes import SmarthostProbes
from domains.foundation.dns.resolver import Kept, Resolver
from domains.foundation.dns.servers import nameservers

CONTENT_AT_ONCE = 67_108_864  # bytes of large messages in memory at one time


@dataclass(frozen=True, slots=True)
class DrainResources:
    """Made once for a drain, and closed with it; agents see `shared` alone."""

    databases: list[Database]
    shared: SharedResources
    wakeups: WakeUps
    job_requests: JobRequests
    succession: Succession
    resolver: Resolver
    destinations: Destinations
    source_lanes: SourceLanes
    failures: LookupFailures
    board: Board

    async def close(self, *, owes: bool) -> None:
        """Close all; `owes`: a lane could not be given back."""
        await self.job_requests.close()
        await self.board.close()
        await self.wakeups.close()
        await self.succession.close()
        await self.shared.probes.close()
        await self.shared.logins.close()
        await self.shared.shares.close()
        for database in self.databases:
            await database.close()
        self.shared.own_file.close(owes=owes)


def make_resources(
    heard_of: Callable[[int], None], is_crowded: Callable[[], bool]
) -> DrainResources:
    """Make the resources of one drain, without connecting to anything yet.

    `heard_of` is called with a lane that has got work, `is_crowded` says whether lanes wait for an
    agent's place.
    """
    databases = [
        Database(f"ekiden drain {name}")
        for name in ("lanes", "contents", "urgent", "ledger", "routing")
    ]
    notes = Database("ekiden drain notes", is_durable=False)
    routing = databases[-1]
    answers, failures = known_of_dns(tuple(settings.EKIDEN_DNS))
    resolver = Resolver(nameservers(settings.EKIDEN_DNS), kept=answers)
    job_requests = JobRequests("deliveries.jobs.learn")
    holder = uuid.uuid4()
    board, wakeups = Board(f"worker-{holder}"), WakeUps()

    def wake(lane: int) -> None:
        heard_of(lane)  # needs no Valkey
        wakeups.notify([lane])  # another drain may hold it

    shared = _shared(
        [*databases, notes], holder, resolver, job_requests, board,
        wake=wake, is_crowded=is_crowded,
    )  # fmt: skip
    return DrainResources(
        [*databases, notes],
        shared,
        wakeups,
        job_requests,
        Succession(job_requests.notify),
        resolver,
        Destinations(routing, heard_of, source=settings.EKIDEN_SOURCE),
        SourceLanes(databases[0]),
        failures,
        board,
    )


def _shared(
    databases: list[Database],
    holder: uuid.UUID,
    resolver: Resolver,
    job_requests: JobRequests,
    board: Board,
    *,
    wake: Callable[[int], None],
    is_crowded: Callable[[], bool],
) -> SharedResources:
    lanes, contents, urgent, ledger, routing, notes = databases
    marks = 2 * (settings.EKIDEN_CONNECTIONS_PER_WORKER + ROOM)
    own_file = HolderFile(drain_files.folder(), holder, marks=marks)
    file_share = open_files.share(sockets_at_most())
    written = Ledger(
        ledger,
        learned=job_requests.notify,
        committed=own_file.unmark,
        faults=Faults(ledger),
        save=partial(unwritten_outcomes.save, unwritten_outcomes.folder()),
    )
    return SharedResources(
        lanes=Lanes(lanes, holder, notes, contents, urgent),
        own_file=own_file,
        ledger=written,
        progress=DeliveryProgress(board, has_room=lambda: not written.is_full),
        carrying=Concurrency(),
        router=Router(routing, resolver),
        orders=Controls(lanes, holder),
        sockets=Sockets(
            max(open_files.LEAST, int(settings.EKIDEN_CONNECTIONS_PER_WORKER * file_share))
        ),
        file_share=file_share,
        memory=ByteBudget(CONTENT_AT_ONCE),
        faults=Faults(routing),
        keys=SigningKeys(routing),
        logins=SmarthostLogins(routing),
        probes=SmarthostProbes(),
        shares=ProviderShares(Database("ekiden drain limits", is_durable=False), holder),
        return_path_key=return_path_key(),
        feedback_key=feedback_key(),
        wake=wake,
        is_crowded=is_crowded,
    )


def sockets_at_most() -> int:
    """Return how many sockets all connections and look-ups of a drain hold at one time."""
    return int(settings.EKIDEN_CONNECTIONS_PER_WORKER * (1 + SHARE_OF_SILENT)) + AT_ONCE


@lru_cache(maxsize=1)
def known_of_dns(servers: tuple[str, ...]) -> tuple[Kept, LookupFailures]:
    """Return what one drain learned of DNS, for the next one of this process to go on with.

    It is all there is while no server answers.
    """
    return Kept(), LookupFailures()
