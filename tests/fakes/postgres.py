"""A way to PostgreSQL that loses the answer to one statement: it was carried out, and its client cannot know."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Self


class LossyWay:
    """A Unix socket in `folder` that leads to the server at `host`; the first answer to a statement with `mark` is lost.

    The whole connection ends with it, as when a server or a network dies just after a commit.
    """

    def __init__(self, folder: Path, host: str, mark: bytes) -> None:
        self._host, self._mark = host, mark
        self._path = folder / ".s.PGSQL.5432"
        self.losses = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_unix_connection(f"{self._host}/.s.PGSQL.5432")
        back = asyncio.create_task(_carry(server, to_client))
        try:
            while data := await client.read(65_536):
                is_lost = self._mark in data and not self.losses
                if is_lost:
                    back.cancel()
                to_server.write(data)
                if is_lost:
                    self.losses += 1
                    await server.read(1)  # it has answered
                    return
        except (OSError, asyncio.CancelledError):
            pass  # the test is over; passed on, asyncio would log it as an error of ours
        finally:
            back.cancel()
            to_server.close()
            to_client.close()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
    except OSError:
        pass
    finally:
        target.close()
