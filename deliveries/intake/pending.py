"""A message on its way into the database: its rows, and the statement that commits a group."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from deliveries.intake.submission import Receipt, SubmittedMessage
from deliveries.message.ids import new_id
from deliveries.models.traffic import counting
from deliveries.routing.only_source import ONLY_SOURCE

# One statement is one transaction: submissions seen before drop out, the rest is written, all or
# nothing. One of which nothing was or will be delivered counts as not seen: its app has corrected
# what was wrong. (Of one that was committed this moment no delivery is visible here; `bool_and` is
# null then, and it counts.) `lane` is where the recipient's domain led last; a domain not seen, or
# too long ago, goes to the routing lane. Where one source carries all mail, it goes straight to
# that source's lane at the site, as soon as there is one.
COMMIT = f"""
WITH given AS (
    SELECT * FROM unnest(
        %(id)s::uuid[], %(key)s::bytea[], %(window)s::int[], %(project_id)s::bigint[],
            %(credential_id)s::bigint[],
        %(origin)s::text[], %(mail_from)s::text[], %(header_from)s::text[], %(message_id)s::text[],
            %(size)s::int[],
        %(recipient_count)s::int[], %(eight_bit)s::bool[], %(smtputf8)s::bool[], %(envid)s::text[],
            %(ret)s::text[],
        %(client_address)s::inet[], %(client_tls)s::text[], %(subject)s::text[],
            %(data)b::bytea[])
    AS given(id, key, time_window, project_id, credential_id, origin, mail_from, header_from,
        message_id, size,
             recipient_count, eight_bit, smtputf8, envid, ret, client_address, client_tls,
             subject, data)
), taken AS (
    INSERT INTO deliveries_submission AS seen (key, message_id, expires_at)
    SELECT key, id, now() + make_interval(secs => time_window) FROM given WHERE key IS NOT NULL
        ORDER BY key
    ON CONFLICT (key) DO UPDATE SET message_id = EXCLUDED.message_id,
        expires_at = EXCLUDED.expires_at
        WHERE seen.expires_at <= now() OR (
            SELECT bool_and(state IN ('bounced', 'expired', 'suppressed', 'cancelled'))
                FROM deliveries_delivery
            WHERE message_id = seen.message_id)
    RETURNING message_id
), fresh AS (
    SELECT * FROM given WHERE key IS NULL OR id IN (SELECT message_id FROM taken)
), messages AS (
    INSERT INTO deliveries_message (id, project_id, credential_id, origin, accepted_at, mail_from,
        header_from,
        message_id, size, recipient_count, eight_bit, smtputf8, envid, ret, client_address,
            client_tls, subject)
    SELECT id, project_id, credential_id, origin, now(), mail_from, header_from, message_id, size,
        recipient_count,
        eight_bit, smtputf8, envid, ret, client_address, client_tls, subject
    FROM fresh
), contents AS (
    INSERT INTO deliveries_content (message_id, data) SELECT id, data FROM fresh
), only_source AS ({ONLY_SOURCE}), deliveries AS (
    INSERT INTO deliveries_delivery (id, message_id, project_id, flow, recipient, recipient_key,
        domain, notify, orcpt,
        lane_id, priority, state, attempt_count, due_at, expires_at, claim, is_in_doubt,
            owes_report)
    SELECT rcpt.id, rcpt.message_id, fresh.project_id, coalesce(fresh.credential_id, 0), recipient,
        recipient_key,
        rcpt.domain, notify, orcpt, coalesce((SELECT lane.id FROM deliveries_lane lane
            WHERE lane.home_id = destination.lane_id
                AND lane.source = (SELECT name FROM only_source)),
        destination.lane_id, 1), priority, 'queued', 0, now(),
        now() + make_interval(secs => lifetime), 0, false, false
    FROM unnest(%(rcpt_id)s::uuid[], %(rcpt_message)s::uuid[], %(recipient)s::text[],
        %(recipient_key)s::text[],
        %(domain)s::text[], %(notify)s::text[], %(orcpt)s::text[], %(priority)s::smallint[],
            %(lifetime)s::int[])
        AS rcpt(id, message_id, recipient, recipient_key, domain, notify, orcpt, priority, lifetime)
    JOIN fresh ON fresh.id = rcpt.message_id
    LEFT JOIN deliveries_destination destination
        ON destination.domain = rcpt.domain AND destination.expires_at > now()
    RETURNING lane_id, priority, project_id, flow, notify
), counted AS ({counting("deliveries", event="'accepted'")})
SELECT (SELECT coalesce(array_agg(id), '{{}}') FROM fresh),
    coalesce(array_agg(DISTINCT lane_id), '{{}}'),
    coalesce(array_agg(DISTINCT lane_id) FILTER (WHERE priority = 2), '{{}}') FROM deliveries
"""  # noqa: S608  (put together from constants)

FIRST_IDS = "SELECT key, message_id FROM deliveries_submission WHERE key = ANY(%(keys)b::bytea[])"


@dataclass(slots=True, eq=False)
class PendingMessage:
    """One message on its way into the database, and whoever waits for the answer."""

    id: UUID
    key: bytes | None
    submission: SubmittedMessage
    message_id: str
    size: int
    data: bytes
    subject: str = ""
    origin: str = "submission"
    taken: asyncio.Future[Receipt] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


def columns(group: list[PendingMessage]) -> dict[str, list[Any]]:
    """Return the entries by column, as the statement takes them."""
    rows = [_message_row(entry) for entry in group]
    recipients = [row for entry in group for row in _recipient_rows(entry)]
    return {name: [row[name] for row in rows] for name in rows[0]} | {
        name: [row[name] for row in recipients] for name in recipients[0]
    }


def _message_row(entry: PendingMessage) -> dict[str, Any]:
    sender, envelope, arrival = (
        entry.submission.sender,
        entry.submission.envelope,
        entry.submission.arrival,
    )
    return {
        "id": entry.id,
        "key": entry.key,
        "window": sender.idempotency_window,
        "project_id": sender.project_id,
        "credential_id": sender.credential_id,
        "origin": entry.origin,
        "mail_from": envelope.mail_from,
        "header_from": entry.submission.header_from,
        "message_id": entry.message_id,
        "size": entry.size,
        "recipient_count": len(envelope.recipients),
        "eight_bit": entry.submission.eight_bit,
        "smtputf8": envelope.smtputf8,
        "envid": envelope.envid,
        "ret": envelope.ret,
        "client_address": arrival.client_address,
        "client_tls": arrival.tls,
        "subject": entry.subject,
        "data": entry.data,
    }


def _recipient_rows(entry: PendingMessage) -> list[dict[str, Any]]:
    sender = entry.submission.sender
    return [
        {
            "rcpt_id": new_id(),
            "rcpt_message": entry.id,
            "recipient": recipient.wire,
            "recipient_key": recipient.key,
            "domain": recipient.domain,
            "notify": recipient.notify,
            "orcpt": recipient.orcpt,
            "priority": entry.submission.priority,
            "lifetime": sender.lifetime,
        }
        for recipient in entry.submission.envelope.recipients
    ]
