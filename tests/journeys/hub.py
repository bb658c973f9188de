"""The far side of a network of namespaces, a process of its own: a name server and an MX, which
writes down at once who sent what, and when by the machine's monotonic clock.

    python -m tests.journeys.hub ADDRESS DNS_PORT MX_PORT FILE
"""

import sys
import threading

from tests.fakes.dns import FakeDns
from tests.fakes.mx import FakeMx
from tests.fakes.mx_actions import Wait

EVERY = 0.05  # seconds between two looks at what has come
THINKING = 0.02  # seconds before the answer to a message: there is always some mail in flight


def main(address: str, dns_port: int, mx_port: int, path: str) -> None:
    zones = {"far.test": {"MX": [(10, "mx.far.test")]}, "mx.far.test": {"A": [address]}}
    with (
        FakeDns(zones, place=(address, dns_port)),
        FakeMx(host=address, port=mx_port) as mx,
        open(path, "a", encoding="utf-8") as ledger,
    ):
        mx.on("BODY", [Wait(THINKING), "250 2.0.0 taken"])
        noted: dict[int, int] = {}
        while not threading.Event().wait(EVERY):
            for number, session in enumerate(list(mx.sessions)):
                fresh = session.messages[noted.get(number, 0) :]
                ledger.writelines(
                    f"{session.peer} {each.recipients[0]} {each.at:.3f}\n" for each in fresh
                )
                noted[number] = noted.get(number, 0) + len(fresh)
            ledger.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
