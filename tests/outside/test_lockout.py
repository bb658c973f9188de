"""Wrong log-ins of strangers, and of apps with old secrets, lock nobody out."""

import base64
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.outside.service import HOST, careless

WRONG = "x" * 32
TLS = careless()

# Each listener counts the wrong tries that it heard itself; the numbers below are those of one.
SETTINGS = {"EKIDEN_LISTENERS": "1"}


def guess(service, name, source, secret=WRONG, times=1):
    """Return the codes that this many tries in one session hear; 0 where the session ended without
    one.
    """
    proof = base64.b64encode(f"\0{name}\0{secret}".encode())
    with socket.create_connection(
        (HOST, service.submissions), timeout=300, source_address=(source, 0)
    ) as bare:
        with TLS.wrap_socket(bare) as client, client.makefile("rb") as replies:
            replies.readline()
            client.sendall(b"EHLO x.test\r\n")
            while replies.readline()[3:4] == b"-":
                pass
            codes = []
            for _ in range(times):
                client.sendall(b"AUTH PLAIN " + proof + b"\r\n")
                codes.append(int(replies.readline()[:3] or 0))
                if codes[-1] in (0, 421):
                    break
            return codes


@pytest.mark.timeout(400)  # 2,100 handshakes, however loaded the machine is
def test_two_thousand_addresses_with_wrong_secrets_lock_nobody_out(service):
    name, secret = service.login
    sources = [f"127.{16 + number // 250}.3.{number % 250 + 1}" for number in range(2000)]
    tries = [
        (name if number % 2 else f"invented-{number}", source)
        for number, source in enumerate(sources)
    ]
    tries += [(name, source) for source in sources[:100]]
    with ThreadPoolExecutor(100) as pool:
        heard = list(pool.map(lambda each: guess(service, *each), tries))
    assert {code for codes in heard for code in codes} == {535}
    assert guess(service, name, sources[0], secret) == [235]
    assert guess(service, name, "127.99.0.1", secret) == [235]


def test_one_app_with_an_old_secret_does_not_lock_out_its_neighbour(service):
    forgotten, healthy = service.credential("forgotten"), service.credential("healthy")
    source = "127.99.0.2"
    with ThreadPoolExecutor(20) as pool:
        heard = list(pool.map(lambda _: guess(service, forgotten[0], source), range(20)))
    assert sorted(code for [code] in heard) == [421] * 10 + [535] * 10
    assert guess(service, healthy[0], source, healthy[1]) == [235]
    assert guess(service, forgotten[0], source, forgotten[1]) == [235]
