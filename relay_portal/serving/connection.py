"""A client's connection: it gathers one request at a time, and holds the answer until the client
has read it.
"""

from __future__ import annotations

import socket
from enum import Enum
from typing import Any

from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from relay_portal.serving.exchange import Exchange
from relay_portal.serving.framing import END_OF_HEAD, BadFraming, ChunkedBody, SizedBody

LONGEST_HEAD = 32_768  # bytes
LARGEST_BODY = 1_048_576  # bytes
# Where people send files: a list of suppressions, a message that came back.
LARGEST_BY_PATH = {
    "/suppressions/import/add/": 269_484_032,
    "/classification/": 34_603_008,
    "/check-message/": 34_603_008,
}
HEAD_SECONDS, BODY_SECONDS, ANSWER_SECONDS, LINGER_SECONDS = 10, 30, 30, 2
LEAST_RATE = 16_384  # bytes a second, after the seconds above

Reply = tuple[int, str]
BAD_REQUEST, TIME_OUT = (400, "Bad Request"), (408, "Request Timeout")
TOO_LARGE, HEAD_TOO_LARGE = (413, "Content Too Large"), (431, "Request Header Fields Too Large")
BUSY = (503, "Service Unavailable")


class WebConnectionState(Enum):
    IDLE = "idle"  # nothing of a request has come
    ARRIVING = "arriving"
    AT_WORK = "at work"  # a thread has it, or will
    ANSWERING = "answering"
    # closed by us; the client's last bytes are thrown away, since a reset would cut the answer
    LINGERING = "lingering"


class RequestRefused(Exception):
    """The request is not taken; the connection ends with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply[1])
        self.reply = reply


class WebConnection:
    def __init__(
        self, sock: socket.socket, cfg: Any, client: Any, server: Any, *, now: float
    ) -> None:
        self.sock, self.cfg, self.client, self.server = sock, cfg, client, server
        self.state = WebConnectionState.IDLE
        self.place = ""  # as limits see it
        self.events = 0  # what the poller watches for
        self.deadline = now + HEAD_SECONDS
        self.keeps_alive = False
        self.unsent = b""
        self.new_exchange()

    def new_exchange(self) -> None:
        self.exchange = Exchange(self.cfg, self.client, self.server)
        self.path = ""
        self._head = bytearray()
        self._body: SizedBody | ChunkedBody | None = None
        self._body_began = 0.0
        self.body_size = 0
        self.wants_continue = False  # the client waits for a word before it sends the body
        self.rest = b""  # of the next request

    @property
    def has_head(self) -> bool:
        return self._body is not None

    @property
    def is_whole(self) -> bool:
        return self._body is not None and self._body.is_whole

    def feed(self, data: bytes, *, now: float) -> None:
        """Take what came. Raise Refused, or one of gunicorn's errors about a malformed head."""
        if self.state is WebConnectionState.IDLE:
            self.state, self.deadline = WebConnectionState.ARRIVING, now + HEAD_SECONDS
        if self._body is None:
            data = self._feed_head(data, now)
        if self._body is not None:
            self._feed_body(self._body, data)

    def _feed_head(self, data: bytes, now: float) -> bytes:
        looked = max(0, len(self._head) - len(END_OF_HEAD))
        self._head += data
        end = self._head.find(END_OF_HEAD, looked)
        if end > LONGEST_HEAD or (end < 0 and len(self._head) > LONGEST_HEAD):
            raise RequestRefused(HEAD_TOO_LARGE)
        if end < 0:
            return b""
        end += len(END_OF_HEAD)
        head, rest = bytes(self._head[:end]), bytes(self._head[end:])
        self._begin_body(Request(self.cfg, IterUnreader([head]), self.client), now)
        self.exchange.request.write(head)
        return rest

    def _begin_body(self, request: Any, now: float) -> None:
        fields = {
            name: value
            for name, value in request.headers
            if name in {"CONTENT-LENGTH", "TRANSFER-ENCODING", "EXPECT"}
        }
        size = int(fields.get("CONTENT-LENGTH", "0"))  # gunicorn has refused what is no number
        self._largest = LARGEST_BY_PATH.get(request.path, LARGEST_BODY)
        if size > self._largest:
            raise RequestRefused(TOO_LARGE)
        self._body = ChunkedBody() if "TRANSFER-ENCODING" in fields else SizedBody(size)
        self.path, self._body_began = request.path, now
        self.deadline = now + BODY_SECONDS
        self.wants_continue = "EXPECT" in fields

    def _feed_body(self, body: SizedBody | ChunkedBody, data: bytes) -> None:
        try:
            taken = body.feed(data)
        except BadFraming as error:
            raise RequestRefused(BAD_REQUEST) from error
        self.exchange.request.write(data[:taken])
        self.rest = data[taken:]
        self.body_size += taken
        if self.body_size > self._largest:
            raise RequestRefused(TOO_LARGE)
        self.deadline = self._body_began + BODY_SECONDS + self.body_size / LEAST_RATE

    # --- the answer -------------------------------------------------------------------------------
    def begin_answer(self, *, keeps_alive: bool, now: float) -> None:
        self.state, self.keeps_alive = WebConnectionState.ANSWERING, keeps_alive
        self.unsent, self._sent, self._answer_began = b"", 0, now
        self.deadline = now + ANSWER_SECONDS
        self.exchange.answer.seek(0)

    def refuse(self, reply: Reply, *, now: float) -> None:
        """Answer without a thread."""
        status, reason = reply
        after = "Retry-After: 5\r\n" if reply == BUSY else ""
        self.exchange.answer.write(
            f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\n"
            f"{after}Content-Type: text/plain\r\n"
            f"Content-Length: {len(reason) + 1}\r\n\r\n{reason}\n".encode()
        )
        self.begin_answer(keeps_alive=False, now=now)

    def send_some(self) -> bool:
        """Send what the client takes now.

        Return whether that was all; OSError where the client is gone.
        """
        for _ in range(16):  # and then it is others' turn
            chunk = self.unsent or self.exchange.answer.read(65_536)
            if not chunk:
                return True
            try:
                sent = self.sock.send(chunk)
            except (BlockingIOError, InterruptedError):
                self.unsent = chunk
                break
            self.unsent = chunk[sent:]
            self._sent += sent
            self.deadline = self._answer_began + ANSWER_SECONDS + self._sent / LEAST_RATE
        return False

    def await_next(self, *, keepalive: float, now: float) -> bytes:
        """Begin anew, and return what has come of the next request."""
        rest = self.rest
        self.exchange.close()
        self.new_exchange()
        self.state, self.deadline = WebConnectionState.IDLE, now + keepalive
        return rest

    def end(self, *, now: float) -> None:
        """Say that no more will come, and wait a little for the client to hear it."""
        self.sock.shutdown(socket.SHUT_WR)
        self.state, self.deadline = WebConnectionState.LINGERING, now + LINGER_SECONDS

    def close(self) -> None:
        self.exchange.close()
        self.sock.close()
