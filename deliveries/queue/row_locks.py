"""How statements that change several rows lock them.

Two statements that want the same rows in different orders end in a deadlock, of which PostgreSQL
ends one after a second. So each statement about several deliveries takes them in the order of
their ids, each about several lanes in the order of (site, source), or it passes over what another
holds (`SKIP LOCKED`) and waits for nothing. `tests/deliveries/queue/test_row_locks.py` looks at
all of them.
"""

from __future__ import annotations


def change_deliveries(condition: str, *, to: str, before: str = "", source: str = "") -> str:
    """Write an UPDATE of the deliveries that fulfil a condition.

    `to` is what they are set to. `before` are parts of a WITH that come first, and `source` is the
    one of them whose columns `to` uses.
    """
    return f"""
WITH {before}{"," if before else ""} mine AS MATERIALIZED (
    SELECT id FROM deliveries_delivery WHERE {condition} ORDER BY id FOR NO KEY UPDATE
)
UPDATE deliveries_delivery SET {to} {f"FROM {source}" if source else ""}
WHERE deliveries_delivery.id = ANY(ARRAY(SELECT id FROM mine))
"""  # noqa: S608  (put together from constants)
