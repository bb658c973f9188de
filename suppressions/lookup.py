"""The question asked at RCPT: must this project not write to this address? Many at once are one query."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

SQL = """
SELECT asked.project_id, asked.key, suppression.reason
FROM unnest(%(projects)s::bigint[], %(keys)s::text[]) AS asked(project_id, key)
JOIN suppressions_suppression suppression ON suppression.address_key = asked.key
WHERE suppression.project_id = asked.project_id OR suppression.project_id IS NULL
"""

Question = tuple[int, str]


class Fetches(Protocol):
    """A database connection, as the asker has it."""

    async def fetch(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]: ...


class Lookup:
    """Answers always come from PostgreSQL; what is asked while a query runs goes into the next one."""

    def __init__(self, database: Fetches) -> None:
        self._database = database
        self._waiting: dict[Question, asyncio.Future[str | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def reason(self, project_id: int, key: str) -> str | None:
        """Why the address is suppressed; None where it is not. Raises what the connection raises."""
        question = (project_id, key)
        if question not in self._waiting:
            self._waiting[question] = asyncio.get_running_loop().create_future()
        answer = self._waiting[question]
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(answer)

    async def _ask(self) -> None:
        while self._waiting:
            asked, self._waiting = self._waiting, {}
            try:
                found = await self._query(list(asked))
            except Exception as error:  # whatever it is, it is the askers' to handle, and none may wait for ever
                _fail(asked, error)
                continue
            for question, answer in asked.items():
                if not answer.done():
                    answer.set_result(found.get(question))

    async def _query(self, asked: Sequence[Question]) -> dict[Question, str]:
        given = {"projects": [project for project, _ in asked], "keys": [key for _, key in asked]}
        return {(project, key): reason for project, key, reason in await self._database.fetch(SQL, given)}


def _fail(asked: dict[Question, asyncio.Future[str | None]], error: Exception) -> None:
    for answer in asked.values():
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # whoever has left meanwhile will not look at it
