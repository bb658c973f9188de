"""How many bytes of strangers' mail are kept in a day: from one place, of one delivery, and in
all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings

from deliveries.backends.database import Database
from deliveries.message.ids import first_id_of
from smtp_listener.admission.limits import Address, Counters, place

DAY = 90_000  # seconds for which a day's counter is kept
# bytes that a message costs besides its content: the row, its indexes, its line in the log
ROW = 1024
DOMAIN_SHARE = 5  # a domain's DMARC reports take at most this part of the room for all
REPORTS_OF_DELIVERY = 10  # in a day: a delivery bounces once, and its report may be sent again

# `octet_length` of a value that is stored apart reads its length, not the value.
SUM = (
    "SELECT coalesce(sum(octet_length(data)), 0)::bigint FROM deliveries_inboundmail WHERE id >= "
    "%(since)s"
)
UNPROVEN = SUM + " AND delivery_id IS NULL AND kind NOT IN ('dmarc', 'forensic')"
DMARC = SUM + " AND delivery_id IS NULL AND kind IN ('dmarc', 'forensic')"
OF_DOMAIN = DMARC + " AND domain_id = %(domain)s"
PROVEN = SUM + " AND delivery_id IS NOT NULL"
OF_PLACE = SUM + " AND delivery_id IS NULL AND client_address <<= %(place)s::inet"
OF_DELIVERY = (
    "SELECT count(*) FROM deliveries_inboundmail WHERE id >= %(since)s AND delivery_id = "
    "%(delivery)s"
)


@dataclass(frozen=True, slots=True)
class _Room:
    """One counter of a day: its key, how much it may hold, what PostgreSQL says it holds."""

    key: str
    most: int
    sql: str
    given: dict[str, object]


class InboundQuotas:
    """Counted by all listeners together; a fresh counter begins with what PostgreSQL knows, for
    Valkey may be wiped.

    What comes to a true return path has room of its own, so that strangers' letters keep no bounce
    out; so have DMARC reports, whose addresses stand in public DNS.
    """

    def __init__(self, counters: Counters, database: Database) -> None:
        self._counters = counters
        self._database = database

    async def has_room(
        self, address: Address, delivery: UUID | None, domain: int | None = None
    ) -> bool:
        """Tell whether there is room, as an early word before the content has come."""
        rooms = self._rooms(address, delivery, domain)
        taken = await self._counters.get(*(room.key for room in rooms))
        return all(count < room.most for count, room in zip(taken, rooms, strict=True))

    async def take(
        self, address: Address, delivery: UUID | None, size: int, domain: int | None = None
    ) -> bool:
        """Count a message of so many stored bytes, if there is room for it everywhere.

        Where it raises, nothing is counted.
        """
        taken: list[tuple[_Room, int]] = []
        try:
            for room, amount in self._amounts(address, delivery, size, domain):
                count = await self._add(room, amount)
                taken.append((room, amount))
                if count > room.most:
                    await self._take_off(taken)
                    return False
        except BaseException:
            await self._take_off(taken)
            raise
        return True

    async def give_back(
        self, address: Address, delivery: UUID | None, size: int, domain: int | None = None
    ) -> None:
        """Give back what was counted for a message that was not stored."""
        await self._take_off(self._amounts(address, delivery, size, domain))

    def _amounts(
        self, address: Address, delivery: UUID | None, size: int, domain: int | None
    ) -> list[tuple[_Room, int]]:
        return [
            (room, 1 if room.sql is OF_DELIVERY else size + ROW)
            for room in self._rooms(address, delivery, domain)
        ]

    async def _take_off(self, taken: list[tuple[_Room, int]]) -> None:
        for room, amount in taken:
            await self._count(room, -amount)

    async def _count(self, room: _Room, amount: int) -> int:
        return await self._counters.add(room.key, DAY, amount, begins_anew=True)

    async def _add(self, room: _Room, amount: int) -> int:
        """Count; a fresh counter begins with what PostgreSQL knows. Where that cannot be asked,
        the next message finds the counter as fresh.
        """
        count = await self._count(room, amount)
        if count <= amount:
            try:
                [(known,)] = await self._database.fetch(room.sql, room.given)
            except BaseException:
                await self._counters.forget(room.key)
                raise
            count = await self._count(room, int(known)) if known else count
        return count

    def _rooms(self, address: Address, delivery: UUID | None, domain: int | None) -> list[_Room]:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        since: dict[str, object] = {"since": first_id_of(midnight)}
        day = f"ekiden:inbound:{midnight:%Y%m%d}"
        if delivery is not None:
            return [
                _Room(
                    f"{day}:delivery:{delivery}",
                    REPORTS_OF_DELIVERY,
                    OF_DELIVERY,
                    since | {"delivery": delivery},
                ),
                _Room(f"{day}:proven", settings.EKIDEN_REPORT_BYTES_PER_DAY, PROVEN, since),
            ]
        where = place(address)
        name = hashlib.blake2b(where.encode(), digest_size=16).hexdigest()
        of_place = _Room(
            f"{day}:place:{name}",
            settings.EKIDEN_INBOUND_BYTES_PER_ADDRESS,
            OF_PLACE,
            since | {"place": where},
        )
        if domain is not None:
            most = settings.EKIDEN_DMARC_BYTES_PER_DAY
            of_domain = since | {"domain": domain}
            return [
                of_place,
                _Room(f"{day}:domain:{domain}", most // DOMAIN_SHARE, OF_DOMAIN, of_domain),
                _Room(f"{day}:dmarc", most, DMARC, since),
            ]
        return [
            of_place,
            _Room(f"{day}:unproven", settings.EKIDEN_INBOUND_BYTES_PER_DAY, UNPROVEN, since),
        ]
