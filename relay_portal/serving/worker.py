"""A worker of gunicorn whose threads get whole requests only, and hand answers back whole.

gunicorn's own thread worker reads requests and writes answers in its threads: eight clients that
send nothing more, or read nothing more, hold all of them. Here the loop reads and writes, with
time-outs; heads, bodies and connections are bounded, and where room is short, the connection that
has waited longest for its client goes first.
"""

from __future__ import annotations

import errno
import selectors
import time
from collections import Counter, OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from relay_portal.serving.connection import (
    BUSY,
    LINGER_SECONDS,
    TIME_OUT,
    RequestRefused,
    WebConnection,
    WebConnectionState,
)
from relay_portal.serving.exchange import IN_MEMORY

# Answered by threads of their own, so that they tell how things are while all others are busy with
# slow pages.
APART = ("/health/", "/metrics/")
QUEUE = 100  # whole requests that wait for a thread; one more is told to come back
QUEUE_APART = 20
PER_PLACE = 200  # connections of one address or /64; a proxy on this host may have all
LARGE_BODIES = 536_870_912  # bytes in temporary files, of all requests that are arriving
ACCEPTS = 64  # in one go


class WholeRequests(ThreadWorker):  # type: ignore[misc]  # gunicorn publishes no types
    def init_process(self) -> None:
        self.lanes = {
            path: ThreadPoolExecutor(1, thread_name_prefix=path.strip("/")) for path in APART
        }
        # That wait for their client, longest first.
        self.connections: OrderedDict[WebConnection, None] = OrderedDict()
        self.at_work: Counter[str] = Counter()  # requests, by lane
        self.places: Counter[str] = Counter()
        self.last_look = 0.0
        super().init_process()

    # --- connections come -------------------------------------------------------------------------
    def accept(self, listener: Any) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, client = listener.accept()
            except OSError as error:
                if error.errno in {errno.EMFILE, errno.ENFILE}:
                    self._make_room()
                elif error.errno not in {errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED}:
                    raise
                return
            self._admit(sock, client, listener.getsockname())

    def _admit(self, sock: Any, client: Any, server: Any) -> None:
        place = _place(client)
        if place and self.places[place] >= PER_PLACE:
            self._make_room(place)
        # At the limit itself gunicorn accepts no more.
        if self.nr_conns >= self.worker_connections - 1:
            self._make_room()
        sock.setblocking(False)
        connection = WebConnection(sock, self.cfg, client, server, now=time.monotonic())
        connection.place = place
        self.nr_conns += 1
        self.places[place] += 1
        self._wait_for(connection, selectors.EVENT_READ)

    def _make_room(self, place: str | None = None) -> None:
        """Drop who has waited longest for its client: at first one that is between two requests."""
        waiting = [each for each in self.connections if place is None or each.place == place]
        if waiting:
            self._drop(
                next(
                    (each for each in waiting if each.state is WebConnectionState.IDLE), waiting[0]
                )
            )

    def _wait_for(self, connection: WebConnection, events: int) -> None:
        self.connections[connection] = None
        if connection.events == 0:
            self.poller.register(connection.sock, events, partial(self._go_on, connection))
        elif connection.events != events:
            self.poller.modify(connection.sock, events, partial(self._go_on, connection))
        connection.events = events

    def _leave_alone(self, connection: WebConnection) -> None:
        if connection.events:
            self.poller.unregister(connection.sock)
            connection.events = 0
        self.connections.pop(connection, None)

    def _drop(self, connection: WebConnection) -> None:
        self._leave_alone(connection)
        self.nr_conns -= 1
        self.places[connection.place] -= 1
        if not self.places[connection.place]:
            del self.places[connection.place]
        connection.close()

    # --- requests arrive --------------------------------------------------------------------------
    def _go_on(self, connection: WebConnection, _sock: Any) -> None:
        if connection not in self.connections:  # dropped for another's sake since the poller looked
            return
        try:
            if connection.state is WebConnectionState.ANSWERING:
                self._send(connection)
            elif connection.state is WebConnectionState.LINGERING:
                self._linger(connection)
            else:
                self._receive(connection)
        except OSError:
            self._drop(connection)

    def _receive(self, connection: WebConnection) -> None:
        try:
            data = connection.sock.recv(65_536)
        except (BlockingIOError, InterruptedError):
            return
        if data:
            self._feed(connection, data)
        else:
            self._drop(connection)

    def _feed(self, connection: WebConnection, data: bytes) -> None:
        if connection.state is WebConnectionState.IDLE:
            self.connections.move_to_end(connection)
        now = time.monotonic()
        try:
            connection.feed(data, now=now)
            self._check_room(connection)
        except RequestRefused as refused:
            self._refuse(connection, refused.reply)
            return
        except Exception as error:  # of gunicorn's many kinds for a malformed head
            self.handle_error(None, connection.exchange, connection.client, error)
            connection.begin_answer(keeps_alive=False, now=now)
            self._send(connection)
            return
        if connection.is_whole:
            self._hand_over(connection)
        elif connection.has_head and connection.wants_continue:
            connection.wants_continue = False
            with suppress(BlockingIOError):  # the client sends the body without it, a little later
                connection.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _check_room(self, connection: WebConnection) -> None:
        if connection.body_size > IN_MEMORY:
            sizes = (
                each.body_size
                for each in self.connections
                if each.state is WebConnectionState.ARRIVING
            )
            if sum(size for size in sizes if size > IN_MEMORY) > LARGE_BODIES:
                raise RequestRefused(BUSY)

    def _refuse(self, connection: WebConnection, reply: tuple[int, str]) -> None:
        connection.refuse(reply, now=time.monotonic())
        self._send(connection)

    def _hand_over(self, connection: WebConnection) -> None:
        lane = connection.path if connection.path in self.lanes else ""
        if self.at_work[lane] >= (QUEUE_APART if lane else QUEUE + self.cfg.threads):
            self._refuse(connection, BUSY)
            return
        self._leave_alone(connection)
        connection.state = WebConnectionState.AT_WORK
        connection.exchange.request.seek(0)
        self.at_work[lane] += 1
        threads: ThreadPoolExecutor = self.lanes.get(lane) or self.tpool
        future = threads.submit(self.handle, connection.exchange)
        future.add_done_callback(
            lambda done: self.method_queue.defer(self._take_back, connection, lane, done)
        )

    # --- answers leave ----------------------------------------------------------------------------
    def _take_back(self, connection: WebConnection, lane: str, done: Future[Any]) -> None:
        self.at_work[lane] -= 1
        keeps_alive = not done.cancelled() and done.exception() is None and bool(done.result())
        connection.begin_answer(keeps_alive=keeps_alive, now=time.monotonic())
        try:
            self._send(connection)
        except OSError:
            self._drop(connection)

    def _send(self, connection: WebConnection) -> None:
        if not connection.send_some():
            self._wait_for(connection, selectors.EVENT_WRITE)
        elif connection.keeps_alive:
            self._await_next(connection)
        else:
            connection.end(now=time.monotonic())
            self._wait_for(connection, selectors.EVENT_READ)

    def _await_next(self, connection: WebConnection) -> None:
        rest = connection.await_next(
            keepalive=self.cfg.keepalive if self.alive else LINGER_SECONDS, now=time.monotonic()
        )
        self._wait_for(connection, selectors.EVENT_READ)
        if rest:
            self._feed(connection, rest)

    def _linger(self, connection: WebConnection) -> None:
        with suppress(BlockingIOError, InterruptedError):
            if not connection.sock.recv(65_536):
                self._drop(connection)

    # --- clocks: gunicorn's loop calls these two each second, and while it ends -------------------
    def murder_keepalived(self, force: bool = False) -> None:
        now = time.monotonic()
        if now - self.last_look < 0.5 and not force:
            return
        self.last_look = now
        for connection in [each for each in self.connections if force or each.deadline <= now]:
            try:
                if connection.state is WebConnectionState.ARRIVING and not force:
                    self._refuse(connection, TIME_OUT)
                else:
                    self._drop(connection)
            except OSError:
                self._drop(connection)

    def murder_pending(self) -> None:
        """Have no such list: `murder_keepalived` looks at all."""

    def _cap_keepalive(self, deadline: float) -> None:
        """Stop waiting for requests, as this worker ends; what is under way may be finished."""
        for connection in self.connections:
            if (
                connection.state in {WebConnectionState.IDLE, WebConnectionState.ARRIVING}
                and not connection.has_head
            ):
                connection.deadline = min(connection.deadline, deadline)


def _place(client: Any) -> str:
    """Return the address, or the /64 of it; nothing for a peer on this host."""
    if not isinstance(client, tuple):
        return ""
    address = ip_address(client[0].partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return ""
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))
