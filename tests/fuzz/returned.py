"""Returned mail as it is parsed and understood, before anybody asks the database."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from deliveries.bounces import feedback_id, original, parser, return_path
from deliveries.classification.classifier import Answer, classify
from deliveries.classification.local_rules import LocalRules, ParsedLocalRule
from deliveries.classification.reply_text import parse
from domains.foundation.secrets import tokens
from suppressions.classes import Class
from tests.deliveries.bounces.test_hostile_reports import SEEDS, is_harmless
from tests.fuzz.targets import Ready

KEY, NOW = b"k" * 32, datetime(2026, 11, 25, tzinfo=UTC)
CORPUS = Path(
    os.environ.get(
        "EKIDEN_CORPUS", Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
    )
)
RULES = LocalRules([ParsedLocalRule("fuzz", Class.POLICY, "user * unknown * here|no such mailbox")])


def ready() -> Ready:
    return Ready(one, seeds())


def seeds() -> list[bytes]:
    """Return samples of our own, and of the shared corpus where it is at hand."""
    return [*SEEDS, *(path.read_bytes() for path in sorted(CORPUS.glob("bounces/**/*.eml"))[::20])]


def one(data: bytes) -> None:
    assert is_harmless(parser.read(data))
    about = original.read(data)
    assert (
        max(map(len, (about.return_paths, about.feedback_ids, about.message_ids))) <= original.MOST
    )
    text = data.decode("utf-8", "replace")
    code, enhanced, rest = parse(text)
    found = classify(Answer(rest, code, enhanced))
    assert found.class_ in Class
    RULES.find(text.lower(), provider="", stage=None, code=code)
    for forged in (text[:200], f"b-{text[:200]}"):
        _refuses(forged)


def _refuses(text: str) -> None:
    """Check that nobody guesses a token of ours."""
    for read in (
        lambda: feedback_id.parse(text, key=KEY, now=NOW),
        lambda: return_path.parse(text, key=KEY, now=NOW),
    ):
        try:
            read()
        except (tokens.ForgedToken, return_path.ForgedReturnPath):
            continue
        raise AssertionError("a forged token was taken")
