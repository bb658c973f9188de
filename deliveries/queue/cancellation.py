"""Ends deliveries that shall not be tried any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from deliveries.backends import maillog
from deliveries.models.traffic import counting
from domains.foundation import sql

BATCH = 1000

# Also what an agent has in hand: its outcome will find the row ended and only be written down. No
# report is owed: nothing failed.
IN_LANES = """
    SELECT id FROM deliveries_delivery WHERE ended_at IS NULL AND id = ANY(ARRAY(
        SELECT id FROM deliveries_delivery WHERE ended_at IS NULL AND lane_id = ANY(%(lanes)s)
            AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
        ORDER BY lane_id, priority, flow, due_at LIMIT %(most)s))
    ORDER BY id FOR NO KEY UPDATE
"""
TO_RECIPIENT = """
    SELECT id FROM deliveries_delivery WHERE ended_at IS NULL AND recipient_key = %(key)s
    ORDER BY id LIMIT %(most)s FOR NO KEY UPDATE
"""
# S608 : put together from constants
END = f"""
WITH waiting AS ({{waiting}}), ended AS (
    UPDATE deliveries_delivery delivery SET state = 'cancelled', ended_at = now(), due_at = NULL,
        claim = 0, owes_report = false
    FROM waiting WHERE delivery.id = waiting.id
    RETURNING delivery.id, delivery.message_id, delivery.recipient, delivery.project_id,
        delivery.priority, delivery.flow, delivery.notify
), counted AS ({counting("ended", event="'cancelled'")}), told AS (
    INSERT INTO deliveries_attempt (delivery_id, at, outcome, stage, host, address, source, tls,
        enhanced, text, seconds)
    SELECT id, now(), 'cancelled', 'operator', '', '', '', '', '', %(why)s, 0 FROM ended
)
SELECT message_id, id, recipient, project_id FROM ended
"""  # noqa: S608


# One probe of the claim-order index for each lane; the domains are not in it, so all that waits
# there is read once.
DOMAINS = (
    "SELECT DISTINCT domain FROM deliveries_delivery WHERE ended_at IS NULL AND lane_id = "
    "ANY(%(lanes)s)"
)


def cancel_lanes(
    lanes: Collection[int], *, why: str, domains: Collection[str] | None = None
) -> Counter[int]:
    """End all that waits in these lanes, or is in hand there; with `domains`, only what is for
    them. Return how many deliveries of each project (its id) ended.
    """
    total: Counter[int] = Counter()
    while ended := _cancel_batch(lanes, domains, why):
        total += ended
    return total


def domains_waiting(lanes: Collection[int]) -> list[str]:
    """Return the recipient domains of all live deliveries in these lanes."""
    return sql.column(DOMAINS, {"lanes": list(lanes)})


def cancel_recipient(key: str, *, why: str) -> int:
    """End all that waits for this address, or is in hand. Return how many deliveries ended.

    The log does not name the recipient.
    """
    total = 0
    while ended := _end(TO_RECIPIENT, {"key": key, "why": why, "most": BATCH}):
        total += len(ended)
    return total


def _cancel_batch(
    lanes: Collection[int], domains: Collection[str] | None, why: str
) -> Counter[int]:
    given = {
        "lanes": list(lanes),
        "domains": None if domains is None else list(domains),
        "why": why,
        "most": BATCH,
    }
    ended = _end(IN_LANES, given)
    told = [(message, delivery, recipient) for message, delivery, recipient, _project in ended]
    maillog.ended_later(told, outcome="cancelled", stage="operator", text=why)
    return Counter(project for *_delivery, project in ended)


def _end(waiting: str, given: dict[str, Any]) -> list[tuple[Any, ...]]:
    return sql.rows(END.replace("{waiting}", waiting), given)
