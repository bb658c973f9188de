"""One request and its answer in memory (or, where they are large, in a file), with the face of a
socket for gunicorn.
"""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import Any

from gunicorn import http

IN_MEMORY = 65_536  # bytes; what is larger goes to a temporary file


class Exchange:
    """Stands where gunicorn's own connection object would: a thread reads from it and writes to
    it, and waits for no client.

    `sock` is the object itself. `initialized` and `data_ready` tell gunicorn that the request is
    there.
    """

    initialized = True
    data_ready = True
    is_http2 = False

    def __init__(self, cfg: Any, client: Any, server: Any) -> None:
        self.cfg, self.client, self.server = cfg, client, server
        # SIM115 : lives as long as the exchange
        self.request = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        self.answer = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        self.sock = self
        self.parser = http.get_parser(cfg, self, client)

    def init(self) -> None:
        """Have nothing to wrap: TLS ends at the proxy."""

    def close(self, graceful: bool = False) -> None:
        """Forget the request and the answer; the socket is the worker's."""
        self.request.close()
        self.answer.close()

    # --- what gunicorn asks of a socket -----------------------------------------------------------
    def recv(self, size: int) -> bytes:
        return self.request.read(size)

    def sendall(self, data: bytes) -> None:
        self.answer.write(data)

    def send(self, data: bytes) -> int:
        """Drop `100 Continue`, the only thing that gunicorn sends this way: the worker said it
        before the body came.
        """
        return len(data)

    def setblocking(self, flag: bool) -> None: ...

    def settimeout(self, seconds: float | None) -> None: ...

    def gettimeout(self) -> float:
        return 0.0

    def shutdown(self, how: int) -> None:
        """Refuse the graceful end of a broken answer: what was written is sent, then the worker
        closes the connection.
        """
        raise OSError("not a socket")
