"""Writes the messages of a search into a file in the background, in batches that can be gone on
with; cells are safe in a spreadsheet.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from deliveries.message import compression
from deliveries.models import Attempt, Delivery, ExportPart, ExportState, Message, MessageExport
from deliveries.search.inputs import understood
from deliveries.search.lookups import LAST_ID, messages_of
from deliveries.search.narrowing import narrow, narrowing_of
from domains.foundation.text.texts import clean
from domains.foundation.upkeep.job_leases import Lease, LeaseLost, left
from domains.models import ItemKind
from domains.operations.isolation import begin_again, guarded, is_outage
from suppressions.exchange.cells import safe

BATCH = 500  # messages
MATCHED_MOST = 100_000  # messages of one export
PART_MOST = 67_108_864  # bytes
HEADER = (
    "accepted_at", "queue_id", "message_id", "project", "credential", "reverse_path", "from",
    "subject", "recipient", "state", "ended_at", "attempts", "host", "code", "enhanced", "answer",
    "class",
)  # fmt: skip


def run(export_id: int) -> None:
    """Write an export, or go on with it; a second call finds it written, or another at it."""
    lease = Lease.take(MessageExport.objects.filter(pk=export_id, state=ExportState.RUNNING))
    if lease is None:
        return
    key = f"export {export_id}"
    if lease.follows_a_death and begin_again(ItemKind.STEP, key):
        _end(export_id, ExportState.FAILED)
        return
    with guarded(ItemKind.STEP, key, lasting=False):
        try:
            with suppress(LeaseLost):
                _write_all(MessageExport.objects.get(pk=export_id), lease)
        except Exception as error:  # whatever failed, the row says so; it is raised again below
            if not is_outage(error):
                _end(export_id, ExportState.FAILED)
            raise


def carry_on() -> None:
    """Go on with what no job works on: its call was lost, or its worker died."""
    for export_id in left(MessageExport.objects.filter(state=ExportState.RUNNING)):
        run(export_id)


def text_of(export: MessageExport) -> Iterator[bytes]:
    """Yield the file: UTF-8 with the mark that spreadsheets look for, CRLF (RFC 4180)."""
    yield ("\ufeff" + _line(HEADER)).encode()
    for part in ExportPart.objects.filter(export=export).order_by("number").iterator(1):
        yield compression.decompress(bytes(part.data), most=PART_MOST)


def _write_all(export: MessageExport, lease: Lease) -> None:
    ids = _matching(export)
    while batch := _next(export, ids):
        with transaction.atomic():
            lease.renew()
            _write(export, batch)
    with transaction.atomic():
        lease.renew()
        _end(export.pk, ExportState.DONE)


def _matching(export: MessageExport) -> QuerySet[Message]:
    """Return the messages that the search means, as it was when the export was asked for."""
    asked = narrowing_of(export.query, now=export.created_at)
    scope = asked.scope(export.projects)
    rows: QuerySet[Message] = Message.objects.exclude(origin=Message.Origin.REPORT)
    rows, _is_cut = narrow(rows, asked, scope, most=MATCHED_MOST)
    if text := export.query.get("q", ""):
        meant = understood(text)
        found = {id_ for clue in meant.exact for id_ in messages_of(clue, scope)} or {
            id_ for clue in meant.loose for id_ in messages_of(clue, scope)
        }
        rows = rows.filter(pk__in=found)
    return rows.filter(accepted_at__lte=export.created_at)


def _next(export: MessageExport, rows: QuerySet[Message]) -> list[Message]:
    room = min(BATCH, MATCHED_MOST - export.messages)
    behind = rows.filter(pk__lt=export.position or LAST_ID).order_by("-pk")
    return list(behind.select_related("project", "credential")[:room]) if room > 0 else []


def _write(export: MessageExport, batch: list[Message]) -> None:
    lines = [_line(cells) for cells in _rows(batch)]
    data = "".join(lines).encode()
    ExportPart.objects.create(
        export=export,
        number=ExportPart.objects.filter(export=export).count(),
        data=compression.compress(data, (), size=len(data)),
    )
    export.position, export.messages = batch[-1].pk, export.messages + len(batch)
    export.rows += len(lines)
    export.save(update_fields=["position", "messages", "rows"])


def _rows(batch: list[Message]) -> Iterator[tuple[str, ...]]:
    """Yield one row for each recipient."""
    messages = {each.pk: each for each in batch}
    deliveries = list(Delivery.objects.filter(message__in=batch).order_by("-message_id", "pk"))
    last = _last_attempts([each.pk for each in deliveries])
    for delivery in deliveries:
        message, attempt = messages[delivery.message_id], last.get(delivery.pk)
        yield (
            message.accepted_at.isoformat(), str(message.pk), message.message_id,
            message.project.name, message.credential.name if message.credential else "",
            message.mail_from, message.header_from, message.subject,
            delivery.recipient, delivery.state,
            delivery.ended_at.isoformat() if delivery.ended_at else "",
            str(delivery.attempt_count),
            *((attempt.host, str(attempt.code or ""), attempt.enhanced, attempt.text,
               attempt.category) if attempt else ("", "", "", "", "")),
        )  # fmt: skip


def _last_attempts(ids: list[UUID]) -> dict[UUID, Attempt]:
    rows = Attempt.objects.filter(delivery__in=ids).order_by("delivery_id", "-pk")
    return {each.delivery_id: each for each in rows.distinct("delivery_id")}


def _line(cells: tuple[str, ...]) -> str:
    made = io.StringIO()
    csv.writer(made).writerow([safe(clean(cell)) for cell in cells])
    return made.getvalue()


def _end(export_id: int, state: str) -> None:
    MessageExport.objects.filter(pk=export_id).update(
        state=state, ended_at=timezone.now(), leased_until=None
    )
