"""Fills the database before a run: mail that has ended long ago, and mail that waits in one lane
that takes it slowly.
"""

from __future__ import annotations

from typing import Any

import psycopg

CHUNK = 250_000
SLOW_LANE = 20  # messages a second that the deep lane takes

# As the journal of the day before: each message with its content, its one delivery, and its one
# attempt, ids in the order of time.
ENDED = """
WITH made AS (
    INSERT INTO deliveries_message (id, project_id, credential_id, origin, accepted_at, mail_from,
        header_from, message_id, size,
        recipient_count, eight_bit, smtputf8, envid, ret, client_tls)
    SELECT uuidv7(-interval '1 day'), %(project)s, %(credential)s, 'submission',
        now() - interval '1 day', 'shop@sender.test',
        'shop@sender.test',
        '<' || gen_random_uuid() || '@bench.invalid>', 10240, 1, false, false, '', '',
            'TLSv1.3 TLS_AES_256_GCM_SHA384'
    FROM generate_series(1, %(amount)s)
    RETURNING id
), contents AS (
    INSERT INTO deliveries_content (message_id, data) SELECT id, %(data)s FROM made
), sent AS (
    INSERT INTO deliveries_delivery (id, message_id, project_id, recipient, recipient_key, domain,
        notify, orcpt, lane_id, priority,
        flow, state, attempt_count, due_at, expires_at, ended_at, claim, is_in_doubt, owes_report)
    SELECT uuidv7(-interval '1 day'), id, %(project)s, 'u' || id || '@d1.test',
        'u' || id || '@d1.test', 'd1.test', '', '', %(lane)s, 1,
        %(credential)s, 'delivered', 1,
        NULL, now() + interval '4 days', now() - interval '1 day', 0, false, false
    FROM made
    RETURNING id
)
INSERT INTO deliveries_attempt (delivery_id, at, outcome, stage, host, address, source, tls, code,
    enhanced, text, seconds)
SELECT id, now() - interval '1 day', 'delivered', 'body', '127.0.1.1', '127.0.1.1', '127.0.0.1', '',
    250, '2.0.0', 'OK', 0.01 FROM sent
"""

LANE = """
INSERT INTO deliveries_lane (site, source, hosts, tls, is_routed, is_forced, epoch, failures,
    pause_reason, pace)
VALUES ('bench:deep', '', %(hosts)s::jsonb, 'none', true, true, 0, 0, '', '{}') RETURNING id
"""
RULE = """
INSERT INTO deliveries_shapingrule (name, title, mx_suffixes, domains, tls, per_second,
    resets_are_throttling, is_shipped, is_edited)
VALUES ('bench-deep', 'Bench', %(suffixes)s, '{}', '', %(per_second)s, false, false, true)
"""
MESSAGE = """
WITH made AS (
    INSERT INTO deliveries_message (id, project_id, credential_id, origin, accepted_at, mail_from,
        header_from, message_id, size,
        recipient_count, eight_bit, smtputf8, envid, ret, client_tls)
    VALUES (uuidv7(), %(project)s, %(credential)s, 'submission', now(), 'shop@sender.test',
        'shop@sender.test',
        '<deep@bench.invalid>', %(size)s, %(amount)s, false, false, '', '', '') RETURNING id
), content AS (
    INSERT INTO deliveries_content (message_id, data) SELECT id, %(data)s FROM made
)
SELECT id FROM made
"""
WAITING = """
INSERT INTO deliveries_delivery (id, message_id, project_id, recipient, recipient_key, domain,
    notify, orcpt, lane_id, priority, flow,
    state, attempt_count, due_at, expires_at, claim, is_in_doubt, owes_report)
SELECT uuidv7(), %(message)s, %(project)s, 'user' || number || '@deep.test',
    'user' || number || '@deep.test', 'deep.test', '', '',
    %(lane)s, 0, %(credential)s, 'queued', 0, now() + number * interval '1 microsecond',
        now() + interval '4 days', 0, false, false
FROM generate_series(1, %(amount)s) number
"""


def fill(
    connection: psycopg.Connection[Any],
    *,
    backlog: int,
    waiting: int,
    host: str,
    port: int,
    data: bytes,
    size: int,
) -> int:
    """Add so many ended and so many waiting deliveries; return the deep lane's id, 0 without one.

    `data` is a stored content.
    """
    owner = connection.execute(
        "SELECT project_id, id FROM domains_credential WHERE name = 'load'"
    ).fetchone()
    assert owner is not None
    # One that the first load has made.
    [usual] = connection.execute("SELECT max(id) FROM deliveries_lane").fetchone() or (0,)
    given: dict[str, Any] = {
        "project": owner[0],
        "credential": owner[1],
        "data": data,
        "size": size,
        "lane": usual,
    }
    for done in range(0, backlog, CHUNK):
        connection.execute(ENDED, given | {"amount": min(CHUNK, backlog - done)})
    lane = _deep_lane(connection, given, waiting, host, port) if waiting else 0
    # What autovacuum and the checkpointer would have done in all that time, they would do now,
    # while it is measured.
    connection.execute("VACUUM (ANALYZE)")
    connection.execute("CHECKPOINT")
    return lane


def _deep_lane(
    connection: psycopg.Connection[Any], given: dict[str, Any], waiting: int, host: str, port: int
) -> int:
    connection.execute(RULE, {"suffixes": [host], "per_second": SLOW_LANE})
    [lane] = connection.execute(LANE, {"hosts": f'[[0, "{host}", {port}]]'}).fetchone() or (0,)
    [message] = connection.execute(MESSAGE, given | {"amount": waiting}).fetchone() or (None,)
    connection.execute(WAITING, given | {"message": message, "lane": lane, "amount": waiting})
    return int(lane)
