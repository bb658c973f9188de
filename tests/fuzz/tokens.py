"""Tokens that come back to us: return paths, feedback tokens, links to unsubscribe.

Only what we wrote is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from deliveries.bounces import feedback_id, return_path
from deliveries.intake import unsubscribing
from deliveries.intake.unsubscribing import Wish
from domains.foundation.secrets import tokens
from tests.fuzz.targets import Ready

KEY, NOW = b"k" * 32, datetime(2026, 11, 25, tzinfo=UTC)
DELIVERY, MESSAGE = UUID(int=7 << 64), UUID(int=9 << 70)

OURS = {
    "path": return_path.make(DELIVERY, key=KEY, now=NOW),
    "field": feedback_id.field(DELIVERY, key=KEY, now=NOW).decode().partition(": ")[2].strip(),
    "shared": tokens.make(MESSAGE.bytes, key=KEY, use=b"feedback-id"),
}
WISHES = [Wish(1, "you@mx.test"), Wish(2**40, "é@ü.test")]
LINKS = [unsubscribing.url_of(wish).rstrip("/").rpartition("/")[2] for wish in WISHES]


def ready() -> Ready:
    return Ready(
        one,
        [token.encode() for token in (*OURS.values(), *LINKS)]
        + [OURS["path"].upper().encode(), b"b-", b"aaaa"],
    )


def one(data: bytes) -> None:
    """Check that each reader takes its own token, in any case of letters, and nothing else: not
    that of another use, cut, padded or longer.
    """
    text = data.decode("utf-8", "surrogateescape")
    for candidate in (text, text.strip(), f"b-{text}"):
        if _is_taken(partial(return_path.parse, candidate, key=KEY, now=NOW)):
            # Only its token is looked at; that it begins as ours do, `is_ours` has seen before.
            assert (
                candidate[len(return_path.PREFIX) :].lower()
                == OURS["path"][len(return_path.PREFIX) :]
            )
        if _is_taken(partial(feedback_id.parse, candidate, key=KEY, now=NOW)):
            assert candidate.strip().lower() in (OURS["field"], OURS["shared"])
        if _is_taken(partial(unsubscribing.read, candidate)):
            assert candidate.lower() in LINKS


def _is_taken(read: Callable[[], object]) -> bool:
    try:
        read()
    except (tokens.ForgedToken, return_path.ForgedReturnPath):
        return False
    return True
