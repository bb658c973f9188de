"""Who judges addresses, and who takes back what was judged, do so one at a time.

Else a suppression that a person lifts could be made again, at that moment, of what is lifted with
it; and each of the two could wait for the rows of the other.
"""

from __future__ import annotations

from domains.foundation import sql

_LOCK = 0x656B_7375


def wait_for_turn() -> None:
    """Wait until nobody else is at it; nobody is until this transaction is over.

    Call it before any row of suppressions or occurrences is locked.
    """
    sql.run("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
