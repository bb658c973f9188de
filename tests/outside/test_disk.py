"""The disk is not a stranger's."""

import os
import smtplib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

LINE = b"x" * 76 + b"\r\n"


def used(folder):
    """Count the bytes on disk under it; a file may go while it is counted."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.lstat(os.path.join(where, name)).st_blocks * 512
    return total


def test_five_hundred_megabytes_of_letters_leave_the_disk_alone(service):
    sources = [f"127.51.0.{number + 1}" for number in range(20)]
    boxes = ("postmaster", f"abuse@{service.hostname}", f"feedback@{service.hostname}")
    letters = [
        b"Subject: %d\r\n\r\n" % number + os.urandom(1000).hex().encode() + b"\r\n" + LINE * 336_000
        for number in range(2)
    ]
    before = used(service.data)

    def hand_in(number):
        with suppress(OSError, smtplib.SMTPException):  # cut off while it sends
            return service.to_mx(
                letters[number % 2], boxes[number % 3], "a@stranger.test", sources[number]
            )[0]
        return 0

    with ThreadPoolExecutor(4) as pool:
        heard = list(pool.map(hand_in, range(20)))
    assert set(heard) <= {0, 250, 452, 552}
    assert 552 in heard  # to people
    assert 250 in heard  # to feedback: a report is taken, and cut off
    assert used(service.data) - before < 50_000_000


def test_many_small_letters_leave_the_disk_alone(service):
    """Of hexadecimal noise, half of which is stored whatever compresses it; the room of an address
    is used up.
    """
    before = used(service.data)
    heard = [250]
    while heard[-1] == 250 and len(heard) < 200:
        data = b"Subject: noise\r\n\r\n" + b"".join(
            os.urandom(375).hex().encode() + b"\r\n" for _ in range(330)
        )
        heard.append(service.to_mx(data, "postmaster", "a@stranger.test", "127.52.0.1")[0])
    assert (heard[0], heard[-1], set(heard)) == (250, 452, {250, 452})
    assert used(service.data) - before < 50_000_000
    assert service.to_mx(data, "postmaster", "a@stranger.test", "127.52.0.2")[0] == 250


def test_a_true_bounce_gets_in_all_the_same(service):
    service.send(to="late-bounce@example.com", Subject="after")
    look = (
        "SELECT count(*) FROM deliveries_inboundmail WHERE kind = 'report' AND delivery_id IS "
        "NOT NULL"
    )
    service.wait_for(lambda: service.query(look)[0][0] > 0, "the bounce has come", 60)
    bounced = (
        "SELECT count(*) FROM deliveries_delivery WHERE recipient = "
        "'late-bounce@example.com' "
        "AND state = 'bounced'"
    )
    service.wait_for(lambda: service.query(bounced)[0][0] > 0, "the bounce is handled", 60)
