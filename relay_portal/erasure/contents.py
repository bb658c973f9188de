"""What is kept as bytes: contents, inbound mail, the sandbox mailbox, exports, and files of
suppressions that wait; one that mentions the address goes as a whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from deliveries.message import compression
from deliveries.models import Content, Delivery, InboundMail
from deliveries.models.searches import ExportPart, ExportState, MessageExport
from relay_portal.erasure.spellings import Spellings
from smtp_listener.models import SandboxMessage
from suppressions.models import Import, ImportState

LARGEST = 268_435_456  # bytes
CHUNK = 100


@dataclass(frozen=True, slots=True)
class BinaryStore:
    """A table with bytes: how they are read, and which rows may not go yet."""

    model: Any
    unpack: Callable[[bytes], bytes]
    busy: Callable[[list[Any]], set[Any]]
    drop: Callable[[list[Any]], None] | None = None  # where more goes than the row

    @property
    def column(self) -> tuple[str, str]:
        return self.model._meta.db_table, "data"

    def find(self, spellings: Spellings, also: set[UUID]) -> list[Any]:
        """Return the ids of rows that mention the address, or that `also` names."""
        return [pk for pk, data in self._rows() if pk in also or spellings.stand_in(data)]

    def delete(self, ids: list[Any]) -> None:
        busy = self.busy(ids)
        for start in range(0, len(ids), CHUNK):
            gone = [pk for pk in ids[start : start + CHUNK] if pk not in busy]
            if self.drop:
                self.drop(gone)
            else:
                self.model.objects.filter(pk__in=gone).delete()

    def _rows(self) -> Iterator[tuple[Any, bytes]]:
        for pk, data in self.model.objects.values_list("pk", "data").iterator(chunk_size=CHUNK):
            try:
                yield pk, self.unpack(bytes(data))
            except ValueError:
                yield pk, bytes(data)


def _unpacked(data: bytes) -> bytes:
    return compression.decompress(data, most=LARGEST) if data else b""


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompress(data) if data else b""
    except zlib.error as error:
        raise ValueError("the file is damaged") from error


def _waited_for(ids: list[UUID]) -> set[Any]:
    live = Delivery.objects.filter(message__in=ids, ended_at__isnull=True)
    return set(live.values_list("message_id", flat=True))


def _unhandled(ids: list[UUID]) -> set[Any]:
    unhandled = InboundMail.objects.filter(pk__in=ids, handled_at__isnull=True)
    return set(unhandled.values_list("pk", flat=True))


def _running(ids: list[int]) -> set[Any]:
    running = Import.objects.filter(pk__in=ids, state=ImportState.RUNNING)
    return set(running.values_list("pk", flat=True))


def _being_written(ids: list[int]) -> set[Any]:
    parts = ExportPart.objects.filter(pk__in=ids, export__state=ExportState.RUNNING)
    return set(parts.values_list("pk", flat=True))


def _drop_exports(ids: list[int]) -> None:
    """Remove the whole file: one without a part of it would look whole."""
    exports = list(
        ExportPart.objects.filter(pk__in=ids).values_list("export_id", flat=True).distinct()
    )
    with transaction.atomic():
        ExportPart.objects.filter(export__in=exports).delete()
        MessageExport.objects.filter(pk__in=exports).delete()


STORES = (
    BinaryStore(Content, _unpacked, _waited_for),
    BinaryStore(InboundMail, _unpacked, _unhandled),
    BinaryStore(SandboxMessage, bytes, lambda ids: set()),
    BinaryStore(Import, _inflated, _running),
    BinaryStore(ExportPart, _unpacked, _being_written, _drop_exports),
)


def sole_messages(spellings: Spellings) -> set[UUID]:
    """Return the messages that went to this address and to no other."""
    own = Delivery.objects.filter(recipient_key=spellings.key).values_list("message_id", flat=True)
    ids = set(own)
    others = Delivery.objects.filter(message__in=ids).exclude(recipient_key=spellings.key)
    return ids - set(others.values_list("message_id", flat=True))
