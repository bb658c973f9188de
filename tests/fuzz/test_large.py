"""Mail of any size is read in bounded time and memory.

`EKIDEN_FUZZ_BYTES=52428800` is the size that port 25 takes.
"""

import os
import time
import tracemalloc

import pytest

from deliveries.bounces import original
from deliveries.bounces.parser import read
from tests.deliveries.bounces.test_hostile_reports import is_harmless

SIZE = int(os.environ.get("EKIDEN_FUZZ_BYTES", "4000000"))
SECONDS, BYTES = 4.0, 60_000_000  # of CPU and of memory, beside the mail itself

PART = b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
RECIPIENT = b"Final-Recipient: rfc822; a@b.test\r\nAction: failed\r\n\r\n"
KINDS = {
    "random": lambda: os.urandom(SIZE),
    "one line": lambda: b"x" * SIZE,
    "empty lines": lambda: b"\n" * SIZE,
    "a header without end": lambda: b"X-A: " + b"a" * SIZE,
    "many fields": lambda: b"X: y\r\n" * (SIZE // 6),
    "folded lines": lambda: b"Subject: a\r\n" + b" b\r\n" * (SIZE // 4),
    "nested parts": lambda: (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + PART * (SIZE // len(PART))
    ),
    "boundaries": lambda: (
        b"Content-Type: multipart/report; boundary=b\r\n\r\n" + b"--b\r\n" * (SIZE // 5)
    ),
    "base64": lambda: (
        b"Content-Transfer-Encoding: base64\r\nContent-Type: text/plain\r\n\r\n"
        + b"QUJD" * (SIZE // 4)
    ),
    "quoted-printable": lambda: (
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=41" * (SIZE // 3)
    ),
    "encoded words": lambda: b"Subject: " + b"=?iso-2022-jp?B?GyRC?= " * (SIZE // 24) + b"\r\n\r\n",
    "recipients": lambda: (
        b"Content-Type: message/delivery-status\r\n\r\n" + RECIPIENT * (SIZE // len(RECIPIENT))
    ),
    "addresses": lambda: (
        b"From: MAILER-DAEMON@x.test\r\n\r\n" + b"<a@b.test>: 550 no such user\r\n" * (SIZE // 30)
    ),
    "html": lambda: b"Content-Type: text/html\r\n\r\n" + b"<a<b<c" * (SIZE // 6),
    "escapes": lambda: (
        b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n" + b"\x1b$B" * (SIZE // 3)
    ),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_a_large_mail_takes_bounded_time_and_memory(kind):
    data = KINDS[kind]()
    tracemalloc.start()
    started = time.process_time()
    assert is_harmless(read(data))
    original.read(data)
    seconds, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < SECONDS * 4  # tracemalloc slows it down by so much
    assert peak < BYTES + 2 * len(data)
