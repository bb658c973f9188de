"""The statements about lanes, leases and claims, with why each reads no more than it must."""

from __future__ import annotations

from deliveries.models import Lane
from deliveries.models.lane_history import LEAST_SENT
from deliveries.models.states import IS_REPORT
from deliveries.queue.row_locks import change_deliveries
from suppressions.covering import covering

# Each (lane, priority, flow) with live deliveries, found by one probe of the claim-order index for
# each, however many deliveries wait in it (a "loose index scan").
STREAMS = """
streams AS (
    (SELECT lane_id, priority, flow FROM deliveries_delivery WHERE ended_at IS NULL
     ORDER BY lane_id, priority, flow LIMIT 1)
    UNION ALL
    SELECT next.* FROM streams CROSS JOIN LATERAL (
        SELECT lane_id, priority, flow FROM deliveries_delivery
        WHERE ended_at IS NULL
          AND (lane_id, priority, flow) > (streams.lane_id, streams.priority, streams.flow)
        ORDER BY lane_id, priority, flow LIMIT 1) next
)"""

# In a lane of ours only what is not in our hands yet is work to do. In one that nobody holds a
# claim is a dead holder's.
DUE = f"""
WITH RECURSIVE {STREAMS}, lane AS (
    SELECT id, epoch, holder IS NOT DISTINCT FROM %(holder)s AND leased_until >= now() AS is_ours
        FROM deliveries_lane
    WHERE (paused_until IS NULL OR paused_until <= now()) AND closed_at IS NULL
        AND id <> {Lane.PARKED} AND (home_id IS NULL OR source = ANY(%(sources)s))
      AND (leased_until IS NULL OR leased_until < now() OR holder = %(holder)s)
)
SELECT DISTINCT lane.id, lane.is_ours
FROM streams JOIN lane ON lane.id = streams.lane_id CROSS JOIN LATERAL (
    SELECT due_at FROM deliveries_delivery head
    WHERE head.ended_at IS NULL AND head.lane_id = streams.lane_id
        AND head.priority = streams.priority AND head.flow = streams.flow
      AND head.claim < lane.epoch + CASE WHEN lane.is_ours THEN 0 ELSE 1 END
    ORDER BY due_at LIMIT 1) head
WHERE head.due_at <= now()
"""  # noqa: S608  (put together from constants)

LEASE = """
WITH free AS (
    SELECT id FROM deliveries_lane
    WHERE id = ANY(%(lanes)s) AND id <> 0  -- the parked lane
      AND (leased_until IS NULL OR leased_until < now())
      AND (paused_until IS NULL OR paused_until <= now()) AND closed_at IS NULL
      AND (home_id IS NULL OR source = ANY(%(sources)s))
    LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
UPDATE deliveries_lane lane
SET holder = %(holder)s, leased_until = now() + make_interval(secs => %(seconds)s),
    epoch = epoch + 1
FROM free WHERE lane.id = free.id
RETURNING lane.id, site, source, hosts, tls, is_routed, is_forced, epoch, failures, pace,
    experience,
          (SELECT count(*) > 1 FROM (SELECT FROM deliveries_destination
              WHERE lane_id = coalesce(lane.home_id, lane.id) LIMIT 2) led_here),
    smarthost_id, lane.home_id
"""

# Also a lease that is over goes on where nobody else has taken the lane meanwhile: after PostgreSQL
# was away for long.
RENEW = """
WITH ours AS MATERIALIZED (
    SELECT id FROM deliveries_lane WHERE holder = %(holder)s AND id = ANY(%(lanes)s)
    ORDER BY site, source FOR NO KEY UPDATE
)
UPDATE deliveries_lane SET leased_until = now() + make_interval(secs => %(seconds)s)
WHERE id = ANY(ARRAY(SELECT id FROM ours))
RETURNING id, (SELECT count(*) > 1 FROM (SELECT FROM deliveries_destination
    WHERE lane_id = coalesce(home_id, deliveries_lane.id) LIMIT 2) led_here)
"""

# The epoch, since a lease that ended while outcomes waited for PostgreSQL may have been followed by
# another of ours.
_HELD = "holder = %(holder)s AND id = %(lane)s AND epoch = %(epoch)s"

# S608 : put together from constants
RELEASE = f"UPDATE deliveries_lane SET holder = NULL, leased_until = NULL WHERE {_HELD}"  # noqa: S608

# For several lanes at once, each in its own right. Within a lane priority first, then turns between
# the flows, beginning behind the one that came last before, within a flow turns between the
# recipient domains, then age. Domains in `besides` wait. A row whose claim is of an older epoch was
# in the hands of a holder that died: it is taken like any other, and told apart by `was_claimed`.
# Who has lost the lease and does not know it yet (a worker that was stopped for a while) gets
# nothing. Of each flow a few rows are looked at, by a limit that stands in the statement: with one
# that PostgreSQL learns later it plans for a tenth of the line, and reads and sorts it. For the
# same reason `besides` is asked in a way of which PostgreSQL expects that nearly all rows pass.
# What another statement holds at this moment is passed over: a claim waits for no row.
_CLAIM = """
WITH RECURSIVE asked AS MATERIALIZED (
    SELECT given.*, string_to_array(besides_them, ' ') AS besides,
        string_to_array(domains_them, ' ') AS domains, lane.home_id AS home
    FROM unnest(%(lane)s::bigint[], %(epoch)s::bigint[], %(is_forced)s::bool[], %(most)s::int[],
        %(least)s::int[], %(after)s::bigint[],
                %(domains)s::text[], %(besides)s::text[])
        AS given(lane, epoch, is_forced, most, least, after, domains_them, besides_them)
    JOIN deliveries_lane lane ON lane.id = given.lane AND lane.epoch = given.epoch
        AND lane.leased_until >= now()
), streams AS (
    SELECT asked.lane, first.* FROM asked CROSS JOIN LATERAL (
        SELECT priority, flow FROM deliveries_delivery WHERE ended_at IS NULL
            AND lane_id = asked.lane
        ORDER BY priority, flow LIMIT 1) first
    UNION ALL
    SELECT streams.lane, next.* FROM streams CROSS JOIN LATERAL (
        SELECT priority, flow FROM deliveries_delivery
        WHERE ended_at IS NULL AND lane_id = streams.lane
            AND (priority, flow) > (streams.priority, streams.flow)
        ORDER BY priority, flow LIMIT 1) next
), heads AS (
    SELECT head.id, head.claim, head.due_at, asked.lane, asked.most, asked.after, streams.priority,
        streams.flow,
           row_number() OVER (PARTITION BY asked.lane, streams.priority, streams.flow, head.domain
               ORDER BY head.due_at) AS among_domain
    FROM asked JOIN streams ON streams.lane = asked.lane AND streams.priority >= asked.least CROSS
        JOIN LATERAL (
        SELECT id, claim, due_at, domain FROM deliveries_delivery
        WHERE ended_at IS NULL AND lane_id = asked.lane AND priority = streams.priority
            AND flow = streams.flow
          AND due_at <= now() AND expires_at > now() AND claim < asked.epoch
          AND (asked.domains IS NULL OR domain = ANY(asked.domains))
          AND CASE WHEN domain <> ALL(asked.besides) THEN 1 END IS NOT NULL
        ORDER BY due_at LIMIT {each}) head
), turns AS (
    SELECT *, row_number() OVER (PARTITION BY lane, priority, flow ORDER BY among_domain, due_at) AS
        turn FROM heads
), ordered AS (
    SELECT id, claim, lane, most,
           row_number() OVER (PARTITION BY lane ORDER BY priority DESC, turn, flow <= after, flow)
               AS place FROM turns
), picked AS (
    SELECT id, claim, place FROM ordered WHERE place <= most
), free AS (
    SELECT id FROM deliveries_delivery delivery
    WHERE id = ANY(ARRAY(SELECT id FROM picked)) AND due_at IS NOT NULL
      AND claim < (SELECT epoch FROM asked WHERE asked.lane = delivery.lane_id)
    FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
    -- By an array, of which PostgreSQL expects a few: joined with the pick it would read the whole
    -- table. And live by `due_at`:
    -- by `ended_at` it may plan for an index of the live, which were few when it made its plan, and
    -- read them all.
    -- What a person has moved away meanwhile is in no lane that was asked for, or is that lane's
    -- now.
    UPDATE deliveries_delivery delivery SET claim =
        (SELECT epoch FROM asked WHERE asked.lane = delivery.lane_id)
    WHERE delivery.id = ANY(ARRAY(SELECT id FROM free)) AND delivery.due_at IS NOT NULL
      AND delivery.claim < (SELECT epoch FROM asked WHERE asked.lane = delivery.lane_id)
    RETURNING delivery.*
)
SELECT claimed.lane_id, (SELECT count(*) FROM streams WHERE streams.lane = claimed.lane_id) AS
    flows,
       claimed.id, claimed.message_id, claimed.recipient, claimed.domain, claimed.notify,
           claimed.attempt_count, claimed.throttle_count,
       claimed.is_in_doubt, picked.claim <> 0 AS was_claimed, claimed.priority, claimed.flow,
           claimed.project_id, claimed.hold,
       asked.is_forced
           OR destination.lane_id IS NOT DISTINCT FROM coalesce(asked.home, claimed.lane_id)
           AND destination.expires_at > now() AS is_here,
       -- What came before a sandbox was left is that sandbox's, however long it has waited.
       project.is_sandboxed OR coalesce(sender.is_sandboxed, false) OR coalesce(
           message.accepted_at < greatest(project.sandboxed_until, sender.sandboxed_until), false
       ) AS is_sandboxed,
       suppression.reason, suppression.id, suppression.may_try,
       message.mail_from, message.size, message.eight_bit, message.smtputf8,
       project.retry_schedule, project.in_doubt, project.sends_reports,
       extract(epoch FROM claimed.expires_at - now())::float8 AS seconds_left,
       extract(epoch FROM now() - claimed.due_at)::float8 AS seconds_due,
       message.header_from,
       -- Of mail to many recipients of a lane the first brings the content; what is large is read
       -- when its turn comes, and of mail without a lane nothing is sent.
       CASE WHEN asked.domains IS NULL AND message.size <= {small} AND row_number() OVER (
               PARTITION BY claimed.lane_id, claimed.message_id ORDER BY picked.place) = 1
           THEN (SELECT data FROM deliveries_content content
               WHERE content.message_id = claimed.message_id) END AS data
FROM claimed
JOIN picked ON picked.id = claimed.id
JOIN asked ON asked.lane = claimed.lane_id
JOIN deliveries_message message ON message.id = claimed.message_id
JOIN domains_project project ON project.id = claimed.project_id
LEFT JOIN domains_credential sender ON sender.id = claimed.flow
LEFT JOIN deliveries_destination destination ON destination.domain = claimed.domain
LEFT JOIN LATERAL ({covering}) suppression ON true
ORDER BY picked.place
"""

SMALL = 262_144  # bytes: content up to this size comes with the claim

DEEPER = 5  # times as many rows are looked at in a lane that several domains share

EACH = (2, 20, 100, 500)  # rows looked at of each flow

_COVERING = covering(
    key="claimed.recipient_key", domain="claimed.domain", project="claimed.project_id",
    sender="substring(message.mail_from FROM '[^@]*$')", delivery="claimed.id",
    obeys=f"NOT {IS_REPORT.replace('flow', 'claimed.flow').replace('notify', 'claimed.notify')}",
)  # fmt: skip

GIVEN = ("lane", "epoch", "is_forced", "most", "least", "after", "domains", "besides")

CLAIMS = {
    each: _CLAIM.replace("{each}", str(each))
    .replace("{covering}", _COVERING)
    .replace("{small}", str(SMALL))
    for each in EACH
}

# A suppressed address whose time of probation has come is tried by one delivery: the first that
# gets here.
PROBE = """
UPDATE suppressions_suppression suppression SET probe_id = delivery.id,
    probe_until = delivery.expires_at
FROM (SELECT DISTINCT ON (suppression_id) suppression_id, delivery_id
      FROM unnest(%(suppressions)s::bigint[], %(deliveries)s::uuid[]) AS
          given(suppression_id, delivery_id)) asked
JOIN deliveries_delivery delivery ON delivery.id = asked.delivery_id
WHERE suppression.id = asked.suppression_id AND suppression.probation_at <= now()
  AND (suppression.probe_id IS NULL OR suppression.probe_id = delivery.id
      OR suppression.probe_until <= now())
RETURNING delivery.id
"""

STRAYS = change_deliveries(
    "lane_id = %(lane)s AND claim = %(epoch)s AND ended_at IS NULL AND id <> ALL(%(besides)s)",
    to="claim = 0",
)

MOVE = change_deliveries(
    "id = ANY(%(ids)s) AND claim = %(epoch)s AND due_at IS NOT NULL",
    to="claim = 0, lane_id = %(to)s",
)

CONTENT = "SELECT data FROM deliveries_content WHERE message_id = %(id)s"

_LEARNED = """
    "window" = %(window)s, rate = %(rate)s, provider = %(provider)s,
    pace = %(pace)s::jsonb, experience = %(experience)s::jsonb,
    failures = CASE WHEN %(is_success)s THEN 0 ELSE failures END,
    last_success_at = CASE WHEN %(is_success)s THEN now() ELSE last_success_at END,
    paused_until = CASE WHEN %(is_success)s THEN NULL ELSE paused_until END,
    pause_reason = CASE WHEN %(is_success)s THEN '' ELSE pause_reason END
"""

# The lane's history goes with the note. A lane on which nothing limits us and little goes has none.
_HISTORY = f"""
), minute AS (
    INSERT INTO deliveries_lanepace AS known (lane_id, at, allowed, learned, connections, sent)
    SELECT id, date_trunc('minute', now()), %(allowed)s::float8, %(learned)s::float8,
        %(window)s::smallint, %(sent)s::int
    FROM noted WHERE %(sent)s::int >= {LEAST_SENT}
        OR coalesce(%(learned)s::float8, %(allowed)s::float8) IS NOT NULL
    ON CONFLICT (lane_id, at) DO UPDATE SET allowed = EXCLUDED.allowed,
        learned = EXCLUDED.learned, connections = EXCLUDED.connections,
        sent = known.sent + EXCLUDED.sent
)
INSERT INTO deliveries_backoff (lane_id, at, kind, seconds, rate, reply)
SELECT noted.id, to_timestamp(event.at), event.kind, event.seconds, event.rate, event.reply
FROM noted CROSS JOIN jsonb_to_recordset(%(back_offs)s::jsonb)
    AS event(at float8, kind text, seconds float8, rate float8, reply text)
"""  # noqa: S608  (put together from constants)

# S608 : put together from constants
NOTE = f"""
WITH noted AS (
    UPDATE deliveries_lane SET {_LEARNED} WHERE id = %(lane)s AND epoch = %(epoch)s RETURNING id
{_HISTORY}"""  # noqa: S608

# S608 : as above
LEAVE = f"""
WITH noted AS (
    UPDATE deliveries_lane SET holder = NULL, leased_until = NULL, {_LEARNED} WHERE {_HELD}
    RETURNING id
{_HISTORY}"""  # noqa: S608

PAUSE = """
UPDATE deliveries_lane
SET failures = %(failures)s, paused_until = now() + make_interval(secs => %(seconds)s),
    pause_reason = %(reason)s
WHERE id = %(lane)s AND epoch = %(epoch)s
"""

CLOSE = """
UPDATE deliveries_lane SET closed_at = now(), closed_by = '', close_reason = %(reason)s
WHERE id = %(lane)s AND epoch = %(epoch)s AND closed_at IS NULL
"""
