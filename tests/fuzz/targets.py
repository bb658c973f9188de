"""What is fuzzed: one module for each thing that strangers reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

import atheris
import django

LARGEST = 65_536  # octets of an input; larger mail is a test of its own (tests/fuzz/test_large.py)


@dataclass(frozen=True, slots=True)
class Ready:
    """A target that can be run: what takes one input, inputs to begin with, and words that it
    knows.
    """

    one: Callable[[bytes], None]
    seeds: Sequence[bytes]
    words: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """`traced` are the packages whose coverage guides the fuzzer.

    A module has `ready() -> Ready`.
    """

    traced: tuple[str, ...]
    module: str
    needs_servers: bool = False
    memory: int = 400  # MiB at most, with all that is imported
    largest: int = LARGEST

    def load(self) -> Ready:
        with atheris.instrument_imports(include=list(self.traced)):
            django.setup()
            module = import_module(f"tests.fuzz.{self.module}")
        ready: Ready = module.ready()
        return ready


TARGETS = {
    "returned": Target(("deliveries.bounces",), "returned"),
    "handled": Target(("deliveries.bounces",), "handled", needs_servers=True),
    "vouched": Target(("deliveries.bounces.vouching", "dkim"), "vouched"),
    "mx": Target(("smtp_listener", "domains.foundation.text.addresses"), "mx"),
    "submission": Target(
        (
            "smtp_listener",
            "domains.foundation.text.addresses",
            "domains.foundation.text.mailboxes",
            "deliveries.intake.header_completion",
        ),
        "submission",
    ),
    "replies": Target(
        ("deliveries.smtp", "deliveries.shaping.backoff", "deliveries.classification.classifier"),
        "replies",
    ),
    "names": Target(
        (
            "domains.foundation.dns.resolver",
            "domains.foundation.dns.exchange",
            "domains.foundation.dns.parents",
            "domains.senders.records",
            "deliveries.routing.resolver",
            "dns",
        ),
        "name_servers",
    ),
    "web": Target(("relay_portal", "gunicorn.http"), "web", needs_servers=True),
    "addresses": Target(
        (
            "domains",
            "deliveries.message.headers",
            "deliveries.intake.header_completion",
            "smtp_listener.admission.policy",
        ),
        "addresses",
    ),
    "tokens": Target(
        ("deliveries.bounces", "deliveries.intake.unsubscribing", "domains.foundation.secrets"),
        "tokens",
    ),
}
