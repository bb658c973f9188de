"""What the ledger writes: an entry for each outcome, and the statement for a group of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from deliveries.models.states import IS_REPORT, DeliveryState
from deliveries.models.traffic import BUCKET, NO_BUCKET, counting

PASSED = -1  # as an entry's claim, which is no delivery's

# Lanes from a source of their own are in an index that is empty where there is none.
COUNTED = """
    INSERT INTO deliveries_sourcecount (hour, source, receiver, project_id, event, amount)
    SELECT date_trunc('hour', now(), 'UTC'), lane.source, given.provider, moved.project_id,
        CASE WHEN given.outcome = 'throttled' THEN 'throttled'
            WHEN given.state = 'delivered' THEN 'accepted' ELSE 'refused' END, count(*)
    FROM moved JOIN given ON given.id = moved.id
    JOIN deliveries_lane lane ON lane.id = moved.lane_id AND lane.home_id IS NOT NULL
    WHERE given.outcome = 'throttled' OR given.state = 'delivered'
        OR given.state = 'bounced' AND given.is_hard
    GROUP BY 2, 3, 4, 5
"""
_HAPPENED = counting(
    "happened",
    event="what",
    bucket=f"CASE WHEN what = 'delivered' THEN {BUCKET} ELSE {NO_BUCKET} END",
)

# What ends is added to the tallies by rows of this statement's own, since a row that several
# workers count in would make them wait for one another; a refusal that ends a delivery says
# something about the address, which `suppressions.recording` hears of.
RECORD = f"""
WITH given AS (
    SELECT * FROM unnest(%(id)s::uuid[], %(claim)s::bigint[], %(state)s::text[], %(wait)s::float8[],
                         %(is_in_doubt)s::bool[], %(owes_report)s::bool[], %(is_try)s::bool[],
                             %(at)s::timestamptz[],
                         %(outcome)s::text[], %(stage)s::text[], %(host)s::text[],
                             %(address)s::text[], %(source)s::text[],
                         %(tls)s::text[], %(code)s::smallint[], %(enhanced)s::text[],
                             %(text)s::text[], %(seconds)s::float8[],
                         %(category)s::text[], %(rule)s::text[], %(is_hard)s::bool[],
                             %(provider)s::text[], %(return_path)s::text[])
        AS given(id, claim, state, wait, is_in_doubt, owes_report, is_try, at, outcome, stage, host,
            address, source, tls, code,
                 enhanced, text, seconds, category, rule, is_hard, provider, return_path)
), moved AS (
    UPDATE deliveries_delivery delivery
    SET state = given.state, claim = 0, is_in_doubt = given.is_in_doubt,
        owes_report = given.owes_report,
        attempt_count = least(delivery.attempt_count + given.is_try::int, 32767),
        throttle_count = CASE WHEN given.outcome = 'throttled'
                OR given.stage = 'interrupted' AND NOT given.is_try
            THEN least(delivery.throttle_count + 1, 32767) ELSE 0 END,
        due_at = CASE WHEN given.wait IS NOT NULL
            THEN now() + make_interval(secs => given.wait) END,
        ended_at = CASE WHEN given.wait IS NULL THEN now() END
    FROM given
    WHERE delivery.id = given.id AND delivery.due_at IS NOT NULL
        -- it is live; by `ended_at` all the live might be read
      -- The fence: who lost the lease may no longer move the row, except to say that the mail has
      -- arrived.
      AND (delivery.claim = given.claim OR given.state = 'delivered')
    RETURNING delivery.id, delivery.project_id, delivery.flow, delivery.recipient_key,
        delivery.notify, delivery.priority, delivery.lane_id
), attempts AS (
    INSERT INTO deliveries_attempt
        (delivery_id, at, outcome, stage, host, address, source, tls, code, enhanced, text, seconds,
            category, rule, return_path)
    SELECT id, at, outcome, stage, host, address, source, tls, code, enhanced, text, seconds,
        category, rule, return_path FROM given
), happened AS (
    -- An answer that uses up no try is about the pace: nothing happened to the delivery.
    SELECT moved.id, moved.project_id, moved.flow, moved.notify, moved.priority, given.at,
        CASE WHEN given.wait IS NULL THEN given.state ELSE 'deferred' END AS what
    FROM moved JOIN given ON given.id = moved.id WHERE given.wait IS NULL OR given.is_try
), counted AS ({_HAPPENED}), by_source AS ({COUNTED}), ended AS (
    SELECT moved.project_id, moved.flow, moved.recipient_key, given.*
    FROM moved JOIN given ON given.id = moved.id WHERE given.wait IS NULL AND NOT {IS_REPORT}
), tallied AS (
    INSERT INTO deliveries_tally (hour, project_id, credential_id, provider, category, is_hard,
        amount)
    SELECT date_trunc('hour', now(), 'UTC'), project_id, flow, provider,
           CASE WHEN state IN ('delivered', 'suppressed') THEN state
               ELSE coalesce(nullif(category, ''), 'other') END, is_hard, count(*)
    FROM ended GROUP BY project_id, flow, provider, 5, is_hard
), learned AS (
    INSERT INTO suppressions_occurrence
        (project_id, credential_id, address_key, kind, category, is_hard, provider, delivery_id,
            stage, host, code, enhanced, text, rule)
    SELECT project_id, flow, recipient_key, 'reply', category, is_hard, provider, id, stage, host,
        code, enhanced, left(text, 1000), rule
    FROM ended WHERE state = 'bounced' AND category <> ''
)
SELECT id FROM moved
"""  # noqa: S608  (put together from constants)

WRITTEN = (
    "SELECT delivery_id, at FROM deliveries_attempt WHERE delivery_id = ANY(%(id)s) AND at = "
    "ANY(%(at)s)"
)

COLUMNS = (
    "id", "claim", "state", "wait", "is_in_doubt", "owes_report", "is_try", "at", "outcome",
    "stage", "host", "address",
    "source", "tls", "code", "enhanced", "text", "seconds", "category", "rule", "is_hard",
    "provider", "return_path",
)  # fmt: skip

FLOATS = ("wait", "seconds")


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What happened to one delivery, and what becomes of it.

    `wait` is in seconds and None for an end; `outcome` is the word of the attempt row; `is_try` is
    false for what uses up no try (an interruption by our own fault, an answer about the pace only).
    `category`, `rule` and `is_hard` say what the answer means; `provider` is the shaping rule that
    the receiver falls under; `return_path` is the domain of the one that was used.
    """

    id: UUID
    message_id: UUID
    recipient: str
    claim: int
    state: DeliveryState
    outcome: str
    stage: str
    wait: float | None = None
    is_in_doubt: bool = False
    owes_report: bool = False
    is_try: bool = True
    host: str = ""
    address: str = ""
    source: str = ""
    tls: str = ""
    code: int | None = None
    enhanced: str = ""
    text: str = ""
    category: str = ""
    rule: str = ""
    is_hard: bool = False
    provider: str = ""
    return_path: str = ""
    seconds: float = 0.0
    transcript: str = ""  # JSON, where somebody wants it
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def moves(self) -> bool:
        """False for an answer after which the next host was asked in the same attempt: it is
        written down, and the delivery stays.
        """
        return self.claim != PASSED


def columns(group: list[LedgerEntry]) -> dict[str, list[Any]]:
    """Return the entries by column, as the statement takes them: in the order of the deliveries'
    ids, in which it locks them (`queue.row_locks`).

    An int among floats would be no array for the driver.
    """
    ordered = sorted(group, key=attrgetter("id"))
    found: dict[str, list[Any]] = {
        name: [getattr(entry, name) for entry in ordered] for name in COLUMNS
    }
    for name in FLOATS:
        found[name] = [value if value is None else float(value) for value in found[name]]
    return found
