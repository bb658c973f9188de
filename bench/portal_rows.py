"""Fills the database for `bench.portal`: messages to five recipients each, half of them of today,
with their outcomes, terms and counts.
"""

from __future__ import annotations

from typing import Any

RECIPIENTS = 5  # of each message
CHUNK = 20_000  # messages that one statement makes
DAYS = 30  # that the older half is spread over

# The older half over 29 days, the newer over the last one, the newest last; a twentieth of what is
# younger than an hour waits. 10,000 recipient domains in 200 lanes. A hash makes of each number
# what its delivery is, so that states, domains and projects have nothing to do with each other.
MAIL = """
WITH numbered AS MATERIALIZED (
    SELECT n, uuidv7(-age) AS id, now() - age AS at, age
    FROM (SELECT n, CASE WHEN n < %(all)s / 2
            THEN interval '30 days' - interval '29 days' * (n * 2.0 / %(all)s)
            ELSE interval '1 day' * (2 - n * 2.0 / %(all)s) END AS age
        FROM generate_series(%(first)s, %(last)s) n) ages
), messages AS (
    INSERT INTO deliveries_message (id, project_id, credential_id, origin, accepted_at, mail_from,
        header_from, message_id, subject, size, recipient_count, eight_bit, smtputf8, envid, ret,
        client_tls)
    SELECT id, (%(projects)s::bigint[])[1 + n %% 20],
        (%(credentials)s::bigint[])[1 + n %% 20], 'submission', at,
        'shop' || n %% 50 || '@sender.test', 'shop' || n %% 50 || '@sender.test',
        '<' || n || '@bench.test>', 'Your order ' || n || ' ' || (%(words)s::text[])[1 + n %% 8],
        10240,
        %(recipients)s, false, false, '', '', 'TLSv1.3'
    FROM numbered
), each AS MATERIALIZED (
    SELECT uuidv7(-age) AS delivery_id, id AS message_id, at, n, m, CASE
            WHEN age < interval '1 hour' AND m %% 20 = 0 THEN 'deferred'
            WHEN m %% 100 < 94 THEN 'delivered' WHEN m %% 100 < 98 THEN 'bounced'
            WHEN m %% 100 < 99 THEN 'expired' ELSE 'suppressed' END AS state
    FROM (SELECT *, hashint8(n * %(recipients)s + r)::bigint & 2147483647 AS m
        FROM numbered, generate_series(0, %(recipients)s - 1) r) spread
), terms AS (
    INSERT INTO deliveries_messageterms (message_id, terms)
    SELECT id, ARRAY['project:' || (%(projects)s::bigint[])[1 + n %% 20],
        'credential:' || (%(credentials)s::bigint[])[1 + n %% 20],
        'from:shop' || n %% 50 || '@sender.test', 'from:@sender.test', 'your', 'order', n::text,
        (%(words)s::text[])[1 + n %% 8]] || domains
    FROM numbered JOIN (SELECT message_id, array_agg(DISTINCT 'to:@d' || m %% 10000 || '.test')
        AS domains FROM each GROUP BY message_id) led ON led.message_id = id
), deliveries AS (
    INSERT INTO deliveries_delivery (id, message_id, project_id, recipient, recipient_key, domain,
        notify, orcpt, lane_id, priority, flow, state, attempt_count, due_at, expires_at, ended_at,
        claim, is_in_doubt, owes_report)
    SELECT delivery_id, message_id, (%(projects)s::bigint[])[1 + n %% 20],
        'user' || m %% 2000003 || '@d' || m %% 10000 || '.test',
        'user' || m %% 2000003 || '@d' || m %% 10000 || '.test', 'd' || m %% 10000 || '.test',
        '', '', (%(lanes)s::bigint[])[1 + m %% 200], n %% 3,
        (%(credentials)s::bigint[])[1 + n %% 20], state, 1,
        CASE WHEN state = 'deferred' THEN now() + interval '10 minutes' END,
        at + interval '5 days', CASE WHEN state <> 'deferred' THEN at + interval '2 seconds' END,
        0, false, false
    FROM each
)
INSERT INTO deliveries_attempt (delivery_id, at, outcome, stage, host, address, source, tls, code,
    enhanced, text, category, rule, seconds)
SELECT delivery_id, at + interval '2 seconds', state, 'rcpt', 'mx' || m %% 200 || '.test',
    '192.0.2.1', '', 'TLSv1.3', CASE state WHEN 'delivered' THEN 250 WHEN 'deferred' THEN 451
        ELSE 550 END, '', CASE state WHEN 'delivered' THEN 'OK' ELSE 'User unknown' END,
    CASE state WHEN 'delivered' THEN '' WHEN 'deferred' THEN 'other' ELSE 'unknown_user' END,
    '', 0.4
FROM each WHERE state <> 'suppressed'
"""

# As the statements of the hot path and the roll-ups leave them: minutes for two days, then hours.
COUNTS = """
INSERT INTO deliveries_trafficcount (at, step, priority, event, bucket, amount)
SELECT date_trunc(unit, at, 'UTC'), step, priority, event,
    CASE WHEN event = 'delivered' THEN 18 + spread ELSE -1 END, count(*)
FROM (
    SELECT m.accepted_at AS at, d.priority, e.event, (hashtext(d.recipient) & 15) AS spread,
        CASE WHEN m.accepted_at > now() - interval '2 days' THEN 'minute' ELSE 'hour' END AS unit,
        CASE WHEN m.accepted_at > now() - interval '2 days' THEN 1 ELSE 60 END AS step
    FROM deliveries_delivery d JOIN deliveries_message m ON m.id = d.message_id,
        LATERAL (VALUES ('accepted'), (d.state)) e(event)
) happened GROUP BY 1, 2, 3, 4, 5
"""
# Of 20 credentials and as many shaping rules.
TALLIES = """
INSERT INTO deliveries_tally (hour, project_id, credential_id, provider, category, is_hard, amount)
SELECT date_trunc('hour', at, 'UTC'), d.project_id, d.flow, 'rule' || d.lane_id %% 20,
    CASE WHEN d.state = 'delivered' THEN 'delivered' ELSE a.category END, d.state = 'bounced',
    count(*)
FROM deliveries_delivery d JOIN deliveries_attempt a ON a.delivery_id = d.id
WHERE d.ended_at IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6
"""
SUPPRESSED = """
INSERT INTO suppressions_suppression (source, address_key, reason, project_id, category)
SELECT 'automatic', 'user' || m || '@d' || m %% 10000 || '.test', '550 5.1.1 User unknown',
    (%(projects)s::bigint[])[1 + m %% 20], 'unknown_user' FROM generate_series(1, %(amount)s) m
"""
BY_TERM = "message_by_term"  # built at once it takes a tenth of the time
INDEX = "SELECT indexdef FROM pg_indexes WHERE indexname = %s"
WORDS = ["confirmed", "shipped", "delayed", "refunded", "cancelled", "received", "ready", "paid"]


def fill(deliveries: int) -> None:
    """Write so many deliveries, a fifth as many messages, and what goes with them."""
    from django.db import connection  # Django has to be set up before

    messages, given = deliveries // RECIPIENTS, _owners()
    with connection.cursor() as cursor:
        cursor.execute(INDEX, [BY_TERM])
        [(index,)] = cursor.fetchall()
        cursor.execute(f"DROP INDEX {BY_TERM}")
        for first in range(0, messages, CHUNK):
            last = min(first + CHUNK, messages) - 1
            cursor.execute(MAIL, given | {"all": messages, "first": first, "last": last})
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute(index)
        cursor.execute(COUNTS)
        cursor.execute(TALLIES, [])
        cursor.execute(SUPPRESSED, given | {"amount": deliveries // 50})


def settle() -> None:
    """Do at once what autovacuum and the checkpointer would do in all that time."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")


def _owners() -> dict[str, Any]:
    from deliveries.models import Lane
    from domains.models import Credential, Project

    projects = [Project.objects.create(name=f"bench-{n}") for n in range(20)]
    credentials = [
        Credential.objects.create(
            project=project, name="app", username=f"app-{project.pk}", secret_hash=b"x"
        )
        for project in projects
    ]
    lanes = [
        Lane.objects.create(site=f"mx{n}.test", hosts=[[10, f"mx{n}.test", 25]]) for n in range(200)
    ]
    return {
        "projects": [each.pk for each in projects],
        "credentials": [each.pk for each in credentials],
        "lanes": [each.pk for each in lanes],
        "words": WORDS,
        "recipients": RECIPIENTS,
    }
