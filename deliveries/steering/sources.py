"""What people do with sources, pools and egress rules; and what is led home from them."""

from __future__ import annotations

import logging

from django.db import connection
from django.utils import timezone

from deliveries.models import SourceRest
from deliveries.queue.source_lanes import GONE, LEAD_HOME, STRANDED
from deliveries.queue.wakeups import notify_now

logger = logging.getLogger(__name__)


def end_rests() -> None:
    """Remove the rests that are over."""
    SourceRest.objects.filter(until__lte=timezone.now()).delete()


def lead_stranded_home() -> int:
    """Lead mail whose source can carry it no more back to its site's own lane; return how many.

    A batch in a statement, and so in a transaction of its own.
    """
    moved, homes = 0, set()
    with connection.cursor() as cursor:
        cursor.execute(STRANDED, {"gone": GONE})
        for lane, home in cursor.fetchall():
            while True:
                cursor.execute(LEAD_HOME, {"lane": lane, "home": home})
                if cursor.rowcount <= 0:
                    break
                moved += cursor.rowcount
                homes.add(home)
    if homes:
        notify_now(homes)
        logger.info("event=led-home deliveries=%d lanes=%d", moved, len(homes))
    return moved
