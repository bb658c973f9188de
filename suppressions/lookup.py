"""The question asked at RCPT: must this project not write to this address?

Many at once are one query, and most are none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from suppressions.covering import covering
from suppressions.index import Fetches, Index

_COVERING = covering(
    key="asked.key", domain="asked.domain", project="asked.project_id", sender="asked.sender"
)
SQL = f"""
SELECT asked.project_id, asked.key, asked.domain, asked.sender, suppression.reason
FROM unnest(%(projects)s::bigint[], %(keys)s::text[], %(domains)s::text[], %(senders)s::text[])
    AS asked(project_id, key, domain, sender)
CROSS JOIN LATERAL ({_COVERING}) suppression
WHERE NOT suppression.may_try
"""  # noqa: S608  (put together from constants)


class Question(NamedTuple):
    """`key` and `domain` of the recipient; `sender` is the domain of the reverse-path, or empty."""

    project_id: int
    key: str
    domain: str
    sender: str


class Lookup:
    """A "yes" always comes from PostgreSQL; what is asked while a query runs goes into the next
    one. A "no" comes from the index.
    """

    def __init__(self, database: Fetches, index: Index | None = None) -> None:
        self._database = database
        self._index = index
        self._waiting: dict[Question, asyncio.Future[str | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def reason(self, question: Question) -> str | None:
        """Return why the address is suppressed; None where it is not. Raises what the connection
        raises.
        """
        if self._index is not None and self._index.excludes(question.key, question.domain):
            return None
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
            except Exception as error:
                # Whatever it is, it is the askers' to handle, and none may wait for ever.
                _fail(asked, error)
                continue
            for question, answer in asked.items():
                if not answer.done():
                    answer.set_result(found.get(question))

    async def _query(self, asked: Sequence[Question]) -> dict[Question, str]:
        columns = zip(*asked, strict=True)
        given = dict(
            zip(("projects", "keys", "domains", "senders"), map(list, columns), strict=True)
        )
        return {Question(*row[:4]): row[4] for row in await self._database.fetch(SQL, given)}


def _fail(asked: dict[Question, asyncio.Future[str | None]], error: Exception) -> None:
    for answer in asked.values():
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # whoever has left meanwhile will not look at it
