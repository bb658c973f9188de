"""A file that unpacks to more than it seems is refused in little memory and time.

Each runs in a process of its own, which measures itself: what it took at its highest above what it
held before, and the processor time.
"""

import gzip
import json
import subprocess
import sys
import textwrap
import zlib

import pytest

from tests.domains.reporting.reports import record, xml, zipped
from tests.test_layers import ROOT

MEMORY = 100 * 1024  # kB
SECONDS = 1.0  # of the processor; it takes a tenth of that

MEASURE = textwrap.dedent("""
    import json, re, sys, time
    from domains.reporting import aggregate, unpacking
    data = sys.stdin.buffer.read()
    def kilobytes(name):
        return int(re.search(name + r":\\s+(\\d+)", open("/proc/self/status").read())[1])
    open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
    before, began, why = kilobytes("VmRSS"), time.process_time(), ""
    try:
        aggregate.read(unpacking.pieces(data))
    except unpacking.UnreadableReport as error:
        why = str(error)
    print(json.dumps([why, kilobytes("VmHWM") - before, time.process_time() - began]))
""")
LONG = 30_000_000


def long_report():
    row = record().encode()
    head, tail = xml(record()).split(row)
    return head + row * (LONG // len(row)) + tail


def entities():
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE f [<!ENTITY l0 "ha">{levels}]><feedback>&l9;</feedback>'.encode()


def many_members():
    """Return a directory of 100,000 entries, of which each is one small object when it is read."""
    file = zipped(b"")
    start = file.index(b"PK\x01\x02")
    end = file.index(b"PK\x05\x06")
    return file[:start] + file[start:end] * 100_000 + file[end:]


def nothing_but_zeros():
    """Return a gigabyte, in one megabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(1000)) + packer.flush()


BOMBS = {
    "gzip of zeros": nothing_but_zeros,
    "gzip of a report": lambda: gzip.compress(long_report(), 1),
    "zip of a report": lambda: zipped(long_report()),
    "zip of many members": many_members,
    "plain, 30 MB": long_report,
    "entities": lambda: gzip.compress(entities()),
    "one text": lambda: gzip.compress(b"<feedback>" + b"x" * 25_000_000 + b"</feedback>", 1),
    "one comment": lambda: gzip.compress(b"<feedback><!--" + b"x" * 25_000_000, 1),
    "one tag": lambda: gzip.compress(
        b"<feedback " + b" ".join(b'a%d=">"' % n for n in range(1_500_000)) + b"/>", 1
    ),
    "many names": lambda: gzip.compress(
        b"<feedback>" + b"".join(b"<a%d/>" % n for n in range(1_500_000)), 1
    ),
    "deep": lambda: gzip.compress(b"<feedback>" + b"<a>" * 8_000_000, 1),
    "default attributes": lambda: gzip.compress(
        b"<!DOCTYPE f [<!ATTLIST a "
        + b" ".join(b'x%d CDATA "y"' % n for n in range(1000))
        + b"]><feedback>"
        + b"<a/>" * 5_000_000,
        1,
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_bounded_memory(name):
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE], input=BOMBS[name](), cwd=ROOT, capture_output=True,
        check=True,
    )  # fmt: skip
    why, memory, seconds = json.loads(ran.stdout)
    assert why and memory < MEMORY and seconds < SECONDS
