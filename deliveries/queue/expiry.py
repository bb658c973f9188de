"""The sweeper of deadlines: ends what is past its time, whatever its lane or worker does."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from deliveries.backends import maillog
from deliveries.models.states import IS_REPORT
from deliveries.models.traffic import counting
from domains.foundation import sql
from domains.models import ItemKind
from domains.operations.isolation import passed_over, together_or_alone

# What an agent has in hand is left to it for as long as one transaction may take (30 minutes): the
# mail may be arriving. A claim whose lease is over belongs to nobody (the worker is dead, and its
# lane may be paused for long); the lease's epoch keeps a late writer from moving the row.
GRACE = "35 minutes"
BATCH = 1000
TEXT = "The time allowed for delivery is over"

LATE = """
SELECT id FROM deliveries_delivery mail
WHERE state IN ('queued', 'deferred') AND expires_at <= now()
    AND (claim = 0 OR expires_at <= now() - %(grace)s::interval
    OR NOT EXISTS (SELECT FROM deliveries_lane lane
                   WHERE lane.id = mail.lane_id AND lane.epoch = mail.claim
                       AND lane.leased_until >= now()))
"""
FIND = f"{LATE} AND {passed_over(ItemKind.EXPIRY, id='mail.id')} ORDER BY expires_at LIMIT %(most)s"
SWEEP = f"""
WITH late AS (
    {LATE} AND id = ANY(%(ids)s) ORDER BY expires_at FOR UPDATE OF mail SKIP LOCKED
), ended AS (
    UPDATE deliveries_delivery delivery
    SET state = 'expired', ended_at = now(), due_at = NULL, claim = 0,
        is_in_doubt = delivery.is_in_doubt OR delivery.claim <> 0,
        owes_report = message.mail_from <> '' AND project.sends_reports
            AND (delivery.notify = '' OR delivery.notify LIKE '%%FAILURE%%')
    FROM late, deliveries_message message, domains_project project
    WHERE delivery.id = late.id AND message.id = delivery.message_id
        AND project.id = delivery.project_id
    RETURNING delivery.id, delivery.project_id, delivery.flow, delivery.recipient_key,
        delivery.lane_id, delivery.notify, delivery.priority,
        delivery.message_id, delivery.recipient
), meant AS (
    -- What kept it from arriving is what its last answer meant; who was never tried tells nothing
    -- about the address.
    SELECT ended.*, coalesce(last.category, 'other') AS category, coalesce(last.rule, '') AS rule,
        last.category IS NOT NULL AS was_tried,
           coalesce(lane.provider, '') AS provider, last.host, last.code, last.enhanced, last.text
    FROM ended
    LEFT JOIN deliveries_lane lane ON lane.id = ended.lane_id
    LEFT JOIN LATERAL (SELECT category, rule, host, code, enhanced, text FROM deliveries_attempt
                       WHERE delivery_id = ended.id AND category <> '' ORDER BY id DESC LIMIT 1)
                           last ON true
), attempts AS (
    INSERT INTO deliveries_attempt (delivery_id, at, outcome, stage, host, address, source, tls,
        enhanced, text, seconds, category, rule)
    SELECT id, now(), 'expired', 'expiry', '', '', '', '', '4.4.7', %(text)s, 0, category, rule
        FROM meant
), counted AS ({counting("ended", event="'expired'")}), tallied AS (
    INSERT INTO deliveries_tally (hour, project_id, credential_id, provider, category, is_hard,
        amount)
    SELECT date_trunc('hour', now(), 'UTC'), project_id, flow, provider, category, false, count(*)
    FROM meant WHERE NOT {IS_REPORT} GROUP BY project_id, flow, provider, category
), learned AS (
    INSERT INTO suppressions_occurrence
        (project_id, credential_id, address_key, kind, category, is_hard, provider, delivery_id,
            stage, host, code, enhanced, text, rule)
    SELECT project_id, flow, recipient_key, 'expiry', category, false, provider, id, 'expiry', host,
        code, enhanced, left(text, 1000), rule
    FROM meant WHERE was_tried AND NOT {IS_REPORT}
)
SELECT message_id, id, recipient FROM ended
"""  # noqa: S608  (put together from constants)


def sweep() -> int:
    """End what is past its deadline; returns how many deliveries that were."""
    total = 0
    while late := _late():
        ended = sum(together_or_alone(ItemKind.EXPIRY, late, _end))
        total += ended
        if not ended:  # others have locked them
            break
    return total


def _late() -> list[UUID]:
    return sql.column(FIND, {"grace": GRACE, "most": BATCH})


def _end(ids: Sequence[UUID]) -> int:
    ended = sql.rows(SWEEP, {"grace": GRACE, "ids": list(ids), "text": TEXT})
    maillog.ended_later(ended, outcome="expired", stage="expiry", text=TEXT)
    return len(ended)
