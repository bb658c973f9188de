"""Opens sessions with a peer, and again in plain text where opportunistic TLS breaks."""

import asyncio
import errno
import time
from functools import partial

from deliveries.smtp.authentication import NONE, Login
from deliveries.smtp.connection import Connection, ConnectionFailed, Endpoint
from deliveries.smtp.dialogue import (
    ClientSession,
    TlsLevel,
)
from deliveries.smtp.outcomes import Stage, judge
from deliveries.smtp.peer import Peer
from deliveries.smtp.replies import local_reply
from deliveries.smtp.timeouts import RFC_5321, Timeouts
from deliveries.smtp.tls import VERIFYING
from deliveries.smtp.wire import Wire, dial

CONNECT_ERRORS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection lost while connecting",
    errno.ETIMEDOUT: "connection timed out",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the network",
    errno.EADDRNOTAVAIL: "the source address is not available here",
    errno.EMFILE: "no more connections can be opened here",
}
UNSAFE = local_reply(
    451, "4.7.0", "no log-in without verified TLS: choose TLS verified or implicit for this host"
)


async def open_connection(
    endpoint: Endpoint,
    *,
    source: str | None,
    ehlo_name: str,
    tls: TlsLevel,
    timeouts: Timeouts = RFC_5321,
    trust: str | None = None,
    peer: Peer | None = None,
    without: frozenset[str] = frozenset(),
    login: Login | None = None,
) -> Connection:
    """Return a session ready for mail; raise `ConnectionFailed` where there is none.

    `source` is our address to connect from, `trust` a file of certificate authorities beside the
    system's. `peer` is what we know of the host; its offers `without` are not believed.
    `login` is for a smarthost, under verified TLS only.
    """
    peer = Peer() if peer is None else peer
    if login is not None and login.mechanism != NONE and tls not in VERIFYING:
        raise ConnectionFailed(judge(UNSAFE, Stage.STARTTLS), tls="")
    wire = await _connect(endpoint, source, timeouts.connect)
    connection = Connection(wire, endpoint, timeouts, trust)
    try:
        opened = await connection.open(ehlo_name, tls, peer, without, login)
    except BaseException:
        connection.abort()
        raise
    if isinstance(opened, ClientSession):
        return connection
    connection.abort()
    raise ConnectionFailed(opened, tls=connection.tls, transcript=connection.notes.transcript())


async def open_with_fallback(
    endpoint: Endpoint,
    *,
    source: str | None,
    ehlo_name: str,
    tls: TlsLevel,
    timeouts: Timeouts = RFC_5321,
    trust: str | None = None,
    peer: Peer | None = None,
    without: frozenset[str] = frozenset(),
    login: Login | None = None,
) -> Connection:
    """Open a connection as `open_connection` does, without what the host is known to break.

    Where opportunistic TLS breaks, it opens once more in plain text.
    """
    peer = Peer() if peer is None else peer
    without = without | peer.lacks(time.time())
    attempt = partial(
        open_connection, endpoint, source=source, ehlo_name=ehlo_name, timeouts=timeouts,
        trust=trust, peer=peer,
        without=without - {"STARTTLS"}, login=login,
    )  # fmt: skip
    if tls is TlsLevel.OPPORTUNISTIC and "STARTTLS" in without:
        return await attempt(tls=TlsLevel.NONE)
    try:
        return await attempt(tls=tls)
    except ConnectionFailed as failure:
        if not failure.is_tls_broken or tls is not TlsLevel.OPPORTUNISTIC:
            raise
        reply = failure.reply
    connection = await attempt(tls=TlsLevel.NONE)
    peer.breaks("STARTTLS", reply, now=time.time())
    return connection


async def _connect(endpoint: Endpoint, source: str | None, seconds: float) -> Wire:
    try:
        async with asyncio.timeout(seconds):
            return await dial(endpoint.address, endpoint.port, source)
    except OSError as error:
        trouble = CONNECT_ERRORS.get(error.errno or 0, "the connection could not be opened")
        trouble = "timed out while connecting" if isinstance(error, TimeoutError) else trouble
        reply = local_reply(451, "4.4.1", trouble)
        raise ConnectionFailed(judge(reply, Stage.CONNECT), tls="") from error
