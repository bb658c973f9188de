"""Two hundred clients that send or read slowly, at the portal's own port and through the proxies
of docs/operations.md.
"""

import http.client
import os
import re
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from statistics import median

import psycopg
import pytest

from tests.journeys.rig import wait_until
from tests.outside.proxies import block, caddy, nginx
from tests.outside.service import HOST
from tests.ports import free_port

SETTINGS = {"EKIDEN_METRICS_TOKEN": "a-token"}
SLOW = 200
ROUNDS = 12
HEAD = b"GET /health/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
BODY = b"POST /account/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nabc"
CHUNKS = (
    b"POST /account/login/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"
)
WHOLE = b"GET /account/login/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
WITH_A_SESSION = WHOLE.replace(b"/account/login/", b"/").replace(
    b"\r\n\r\n", b"\r\nCookie: ekiden_session=%b\r\n\r\n" % (b"a" * 32)
)
SMALL = b"GET /static/relay_portal/icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = (
    b"GET /static/unfold/css/styles.css HTTP/1.1\r\nHost: localhost\r\n"
    b"Accept-Encoding: identity\r\n\r\n"
)
# What each kind says at first, and what it adds once a second.
KINDS = {
    "half-sent heads": (HEAD, b""),
    "half-sent bodies": (BODY, b""),
    "half-sent chunks": (CHUNKS, b""),
    "one byte of a head a second": (HEAD, b"a"),
    "one byte of a body a second": (BODY, b"a"),
    "nothing at all": (b"", b""),
    "idle keep-alive": (SMALL, b""),
    "readers that do not read": (LARGE * 4, b""),
}


@contextmanager
def slow_clients(port, first):
    with ExitStack() as stack:
        clients = []
        for _ in range(SLOW):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((HOST, port))
            client.setblocking(False)
            if first:
                client.send(first)
            clients.append(client)
        yield clients


def ask(port, path, seconds=5):
    """Return the status of an answer.

    Where one client holds up another, none comes before the 10 s of the shortest time-out.
    """
    asking = http.client.HTTPConnection(HOST, port, timeout=seconds)
    try:
        asking.request("GET", path, headers={"Host": "localhost"})
        answer = asking.getresponse()
        answer.read()
        return answer.status
    finally:
        asking.close()


def attack(port, kind):
    """Ask again and again while the slow ones hang on, and judge by what is usual: the machine has
    others to serve.
    """
    first, more = KINDS[kind]
    took = []
    with slow_clients(port, first) as clients:
        time.sleep(
            2 if first in {SMALL, LARGE * 4} else 0
        )  # what they asked for in whole requests is answered first
        for _ in range(ROUNDS):
            for client in clients if more else ():
                with suppress(OSError):
                    client.send(more)
            began = time.monotonic()
            assert ask(port, "/health/") == 200
            took.append(time.monotonic() - began)
            assert ask(port, "/u/no-token/") in {404, 429}  # the second to who guesses
            time.sleep(0.25)
    assert median(took) < 1


@pytest.mark.parametrize("kind", KINDS)
def test_slow_clients_at_the_port_hold_nobody_up(service, kind):
    attack(service.portal, kind)


def test_a_slow_head_is_told_so_and_an_idle_connection_is_closed(service):
    with service.connect(service.portal) as slow, service.connect(service.portal) as idle:
        slow.sendall(HEAD)
        idle.sendall(WHOLE)
        assert slow.recv(4096).startswith(b"HTTP/1.1 408 ")
        while idle.recv(65536):
            pass


def test_a_head_or_a_body_without_end_is_refused(service):
    for data, status in (
        (HEAD + b"a" * 100_000, 431),
        (BODY.replace(b"100000", b"9999999999"), 413),
    ):
        with service.connect(service.portal) as client:
            client.sendall(data)
            assert client.recv(4096).startswith(b"HTTP/1.1 %d " % status)


def test_a_body_in_chunks_and_one_after_100_continue_are_read(service):
    token = b"List-Unsubscribe=One-Click"
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(token), token)
    head = (
        b"POST /u/no-token/ HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
    )
    with service.connect(service.portal) as client:
        client.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked)
        assert client.recv(65536).startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 429 "))
        client.sendall(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(token))
    with service.connect(service.portal) as client:
        client.sendall(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(token))
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(token)
        assert client.recv(65536).startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 429 "))


def test_requests_that_come_at_once_are_answered_one_after_the_other(service):
    health = b"GET /health/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with service.connect(service.portal) as client:
        client.sendall(
            health + health + health.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
        said = b""
        while data := client.recv(65536):
            said += data
    assert said.count(b"HTTP/1.1 200 OK") == said.count(b"\r\n\r\nok\n") == 3


def test_health_and_metrics_are_answered_while_all_threads_wait_for_the_database(service):
    with ExitStack() as stack:
        holding = stack.enter_context(psycopg.connect(service.database_url))
        holding.execute("LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE")
        for _ in range(60):
            stack.enter_context(service.connect(service.portal)).sendall(WITH_A_SESSION)
        late = stack.enter_context(service.connect(service.portal, timeout=2))
        late.sendall(WITH_A_SESSION)
        with pytest.raises(TimeoutError):
            late.recv(1)
        assert [ask(service.portal, "/health/") for _ in range(5)] == [200] * 5
        assert [ask(service.portal, "/metrics/") for _ in range(5)] == [401] * 5


# --- through the proxies of the docs --------------------------------------------------------------
def example(language, service, port):
    """Return the example of docs/operations.md in that language, at this port and without TLS."""
    text = re.sub(
        r"^ *(ssl_certificate.*|listen \[::\].*)\n", "", block(language), flags=re.MULTILINE
    )
    text = re.sub(r"listen 443 ssl", f"listen {HOST}:{port}", text).replace(
        "portal.example.com {", f"http://localhost:{port} {{"
    )
    return text.replace("127.0.0.1:8000", f"{HOST}:{service.portal}").replace(
        "portal.example.com", "localhost"
    )


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def proxy(request, service, tmp_path_factory):
    """Yield the port of a proxy before the portal."""
    name = request.param.__name__
    folder, port = tmp_path_factory.mktemp(name), free_port()
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    with open(folder / "said", "wb") as said:
        running = subprocess.Popen(
            request.param(example(name, service, port), folder), env=env, stdout=said, stderr=said
        )
        try:
            wait_until(lambda: is_there(port), f"{name} answers: {folder}", 20)
            yield port
        finally:
            running.terminate()
            running.wait(300)


def is_there(port):
    with suppress(OSError):
        return ask(port, "/health/") == 200
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_slow_clients_at_the_proxy_hold_nobody_up(proxy, kind):
    attack(proxy, kind)
