import asyncio
from contextlib import asynccontextmanager

import pytest
import uvloop

from deliveries.smtp.connection import Endpoint, Timeouts, TlsLevel
from deliveries.smtp.opening import open_with_fallback
from deliveries.smtp.peer import Peer

# Short where a test waits for the end of it; long where it must not come.
QUICK = Timeouts(greeting=5, ehlo=5, handshake=2, mail=5, rcpt=5, data=5, block=5, body=5, quit=0.5)


def pytest_asyncio_loop_factories(config, item):
    """Run everything here on both loops: workers use uvloop, and the plain one must do as well."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def session_with():
    """Open sessions with a scripted MX, and close those rudely that the test has not closed
    itself.
    """

    @asynccontextmanager
    async def connect(
        mx,
        *,
        tls=TlsLevel.OPPORTUNISTIC,
        timeouts=QUICK,
        source=None,
        trust=None,
        host="mx.test",
        login=None,
    ):
        connection = await open_with_fallback(
            Endpoint(host, mx.host, mx.port),
            source=source,
            ehlo_name="me.test",
            tls=tls,
            timeouts=timeouts,
            trust=trust,
            login=login,
            peer=Peer({"CHUNKING", "PIPELINING"}),  # one that has carried messages before
        )
        try:
            yield connection
        finally:
            connection.abort()

    return connect
