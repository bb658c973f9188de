"""Warns of a smarthost that does not let us in any more: its lane waits for a person."""

from __future__ import annotations

import asyncio
import logging

from django.db import connection

from deliveries.models import Smarthost
from domains.operations import audit

logger = logging.getLogger("ekiden.mail")

ACTOR = "alert"


async def warn(smarthost: int, said: str) -> None:
    """Write the refusal into the audit log. It is a help: where that fails, the log says so."""
    try:
        await asyncio.to_thread(_warn, smarthost, said)
    except Exception:  # whatever it is: the lane is closed, which everything else shows
        logger.exception("event=smarthost-refused smarthost=%s could not be noted", smarthost)


def _warn(smarthost: int, said: str) -> None:
    try:
        row = Smarthost.objects.filter(pk=smarthost).first()
        if row is not None:
            logger.error("event=smarthost-refused smarthost=%s reason=%r", row.name, said)
            audit.note(ACTOR, "alert", row, reason=said[: audit.REASON_MOST])
    finally:
        connection.close()
