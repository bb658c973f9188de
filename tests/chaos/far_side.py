"""The receivers of the chaos tests, and what they are asked."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.fakes.dns import FakeDns
from tests.fakes.mx import FakeMx
from tests.fakes.mx_actions import Wait

DOMAINS = [f"{name}.test" for name in ("one", "two", "three", "four")]
SILENT = "silent.test"  # its host takes connections and never says a word
SILENT_HOST = "127.0.0.9"
# seconds between the sink's taking a message and its answer: there is always some mail in flight
THINKING = 0.03
# All must be well again by itself 30 s after a fault's end; a machine that is shared by others gets
# three times as long before a run fails.
BACK = float(os.environ.get("EKIDEN_CHAOS_BACK", "90"))
# seconds: what a receiver took so shortly before a fault, or at it, may not be written down yet
IN_HAND = 1.0


IN_DOUBT = """
SELECT delivery.recipient FROM deliveries_attempt attempt
JOIN deliveries_delivery delivery ON delivery.id = attempt.delivery_id
WHERE attempt.outcome = 'in_doubt' AND attempt.id > %s
"""


LIVE = f"""
SELECT recipient, state, attempt_count, due_at - now() FROM deliveries_delivery
WHERE ended_at IS NULL AND domain <> '{SILENT}' LIMIT 5
"""


def zones() -> dict[str, Any]:
    """Return one host for each domain, all at the sink; the silent one apart."""
    known: dict[str, Any] = {
        domain: {"MX": [(10, f"mx.{domain}")]} for domain in [*DOMAINS, SILENT]
    }
    return (
        known
        | {f"mx.{domain}": {"A": ["127.0.0.1"]} for domain in DOMAINS}
        | {f"mx.{SILENT}": {"A": [SILENT_HOST]}}
    )


@contextmanager
def far_side() -> Iterator[tuple[FakeDns, FakeMx]]:
    """Yield the name server, the receiver of all mail, and a host that is silent."""
    with (
        FakeDns(zones(), ttl=5) as dns,
        FakeMx() as sink,
        socket.create_server((SILENT_HOST, sink.port), backlog=512),
    ):
        sink.on("BODY", [Wait(THINKING), "250 2.0.0 taken"])
        yield dns, sink


def settings(dns: FakeDns, sink: FakeMx) -> dict[str, str]:
    return {
        "EKIDEN_DNS": dns.url,
        "EKIDEN_DELIVERY_PORT": str(sink.port),
        "EKIDEN_PRIVATE_NETWORKS": "127.0.0.0/8",
        "EKIDEN_LISTENERS": "1",
        "EKIDEN_WORKERS": "2",
    }
