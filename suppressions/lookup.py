"""The question asked at RCPT: which of these addresses must this project not write to?"""

from collections.abc import Sequence
from typing import Any, Protocol

SQL = """
SELECT address_key, reason FROM suppressions_suppression
WHERE address_key = ANY(%(keys)s) AND (project_id = %(project)s OR project_id IS NULL)
"""


class Fetches(Protocol):
    """A database connection, as the asker has it."""

    async def fetch(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]: ...


async def suppressed(database: Fetches, project_id: int, keys: Sequence[str]) -> dict[str, str]:
    """The suppressed ones of `keys`, each with the reason."""
    return dict(await database.fetch(SQL, {"keys": list(keys), "project": project_id}))  # type: ignore[arg-type]  # two columns
