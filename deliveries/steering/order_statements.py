"""The statements that carry out an order: one for each verb, each about one batch of deliveries."""

from __future__ import annotations

from deliveries.models import Order
from deliveries.models.traffic import counting
from deliveries.steering.selection import LIVE_BY_DEADLINE

Verb = Order.Verb

MOVED = "RETURNING delivery.id, delivery.lane_id"
ENDED = """RETURNING delivery.id, 0 AS lane_id, delivery.message_id, delivery.recipient,
    delivery.project_id, delivery.priority, delivery.flow, delivery.notify"""
# A claim whose lease is over is a dead worker's: such a message may have been sent.
IN_DOUBT = "is_in_doubt = delivery.is_in_doubt OR delivery.claim <> 0, claim = 0"


# The verbs that end deliveries: the outcome, the enhanced status code, and the words before the
# order's reason. 5.0.0: RFC 3463 has no code for a person's decision, and X.0.0 is its code for
# errors of which only the class is known.
ENDINGS = {
    Verb.CANCEL: ("cancelled", "", "Cancelled: "),
    Verb.BOUNCE: ("bounced", "5.0.0", "Returned by an operator: "),
}


def _told(verb: Verb) -> str:
    outcome, enhanced, words = ENDINGS[verb]
    return f"""
told AS (
    INSERT INTO deliveries_attempt (delivery_id, at, outcome, stage, host, address, source, tls,
        enhanced, text, seconds)
    SELECT id, now(), '{outcome}', 'operator', '', '', '', '', '{enhanced}', '{words}' || %(why)s, 0
        FROM changed
), counted AS ({counting("changed", event=f"'{outcome}'")})"""


ACTS = {
    # What is due already is not written again. With the wait ends what its lanes have learned to
    # wait for.
    Verb.RETRY: """
changed AS (SELECT id, lane_id FROM mine), hurried AS (
    UPDATE deliveries_delivery delivery SET due_at = now() FROM mine WHERE delivery.id = mine.id
        AND delivery.due_at > now()
), resting AS (
    SELECT id FROM deliveries_lane WHERE id IN (SELECT lane_id FROM mine)
        AND paused_until IS NOT NULL FOR UPDATE SKIP LOCKED
), awake AS (
    UPDATE deliveries_lane lane SET paused_until = NULL, pause_reason = '', failures = 0
        FROM resting WHERE lane.id = resting.id
)""",
    # No report is owed: nothing failed.
    Verb.CANCEL: f"""
changed AS (
    UPDATE deliveries_delivery delivery
    SET state = 'cancelled', ended_at = now(), due_at = NULL, owes_report = false, {IN_DOUBT}
    FROM mine WHERE delivery.id = mine.id {ENDED}
), {_told(Verb.CANCEL)}""",
    Verb.BOUNCE: f"""
changed AS (
    UPDATE deliveries_delivery delivery
    SET state = 'bounced', ended_at = now(), due_at = NULL, {IN_DOUBT},
        owes_report = message.mail_from <> '' AND project.sends_reports
            AND (delivery.notify = '' OR delivery.notify LIKE '%%FAILURE%%')
    FROM mine, deliveries_message message, domains_project project
    WHERE delivery.id = mine.id AND message.id = delivery.message_id
        AND project.id = delivery.project_id {ENDED}
), {_told(Verb.BOUNCE)}""",
    # What is put aside stays there: it is let go by its own verb alone.
    Verb.REROUTE: f"""
changed AS (
    UPDATE deliveries_delivery delivery SET lane_id = %(to)s,
        due_at = least(delivery.due_at, now()), {IN_DOUBT}
    FROM mine WHERE delivery.id = mine.id AND delivery.lane_id NOT IN (0, %(to)s) {MOVED}
)""",
    Verb.HOLD: f"""
changed AS (
    UPDATE deliveries_delivery delivery SET hold = 1, lane_id = 0, {IN_DOUBT}
    FROM mine WHERE delivery.id = mine.id AND delivery.hold <> 1 {MOVED}
)""",
    # Also what a stop covers and no agent has met yet.
    Verb.RELEASE: f"""
changed AS (
    UPDATE deliveries_delivery delivery SET hold = 2, lane_id = CASE delivery.lane_id WHEN 0 THEN 1
        ELSE delivery.lane_id END
    FROM mine WHERE delivery.id = mine.id AND delivery.hold <> 2
        AND (delivery.hold = 1 OR delivery.lane_id = 0 OR EXISTS (
        SELECT FROM deliveries_stop stop WHERE stop.project_id = delivery.project_id
            OR stop.credential_id = delivery.flow
            OR stop.domain = delivery.domain)) {MOVED}
)""",
}


# Those that `statement` would take, in its order.
MEMBERS = f"""
SELECT expires_at::text, id::text FROM deliveries_delivery mail
WHERE {LIVE_BY_DEADLINE} AND {{condition}} ORDER BY expires_at, id LIMIT %(most)s
"""


# Parked, in a closed lane, or covered by a stop that no agent has met yet.
STOPPED = f"""
SELECT count(*) FROM deliveries_delivery mail JOIN deliveries_lane lane ON lane.id = mail.lane_id
WHERE {LIVE_BY_DEADLINE} AND {{condition}} AND
    (mail.lane_id = 0 OR lane.closed_at IS NOT NULL OR EXISTS (
    SELECT FROM deliveries_stop stop
    WHERE stop.scope = 'all' OR mail.hold <> 2
        AND (stop.project_id = mail.project_id OR stop.credential_id = mail.flow
            OR stop.domain = mail.domain)))
"""


def statement(verb: str, condition: str) -> str:
    """Write the statement of a verb about a batch of the deliveries that a condition chooses.

    It takes the condition's parameters and `most`, `why`, `to`, and returns one row about it:
    how many there were, how many were done, the ids of those that must be looked at again,
    [deadline, id] of the last, the lanes to wake, and as JSON [message, id, recipient] of
    those that have ended.

    What an agent has in hand is left to it: a message that arrives after it was reported as bounced
    would make a liar of us. SKIP LOCKED, since an order and a claim then never wait for each other,
    so that neither can be in the other's way.
    """
    ended = (
        "(SELECT json_agg(json_build_array(message_id, id, recipient))::text FROM changed)"
        if verb in ENDINGS
        else "NULL"
    )
    return f"""
WITH batch AS MATERIALIZED (
    SELECT id, expires_at, claim, claim <> 0 AND EXISTS (
        SELECT FROM deliveries_lane lane
        WHERE lane.id = mail.lane_id AND lane.epoch = mail.claim AND lane.leased_until >= now()) AS
            is_in_hand
    FROM deliveries_delivery mail
    WHERE {LIVE_BY_DEADLINE} AND {condition}
    ORDER BY expires_at, id LIMIT %(most)s
), mine AS MATERIALIZED (
    SELECT mail.id, mail.lane_id FROM deliveries_delivery mail JOIN batch ON batch.id = mail.id
    WHERE NOT batch.is_in_hand AND mail.claim = batch.claim AND mail.ended_at IS NULL
    FOR UPDATE OF mail SKIP LOCKED
), {ACTS[Verb(verb)]}
SELECT (SELECT count(*) FROM batch), (SELECT count(*) FROM changed),
       (SELECT coalesce(array_agg(id::text), '{{}}') FROM batch
           WHERE id NOT IN (SELECT id FROM mine)),
       (SELECT ARRAY[expires_at::text, id::text] FROM batch ORDER BY expires_at DESC, id DESC
           LIMIT 1),
       (SELECT coalesce(array_agg(DISTINCT lane_id) FILTER (WHERE lane_id <> 0), '{{}}')
           FROM changed),
       {ended}
"""
