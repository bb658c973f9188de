"""Retired words stay retired; the glossary of docs/architecture.md has what stands instead."""

import re

import pytest

from tests.test_layers import ROOT, modules

RETIRED = {
    "courier": "delivery agent",
    "couriers": "delivery agents",
    "depot": "shared resources",
    "lessons": "feedback",
    "doorbell": "job request",
    "bell": "wake-up",
    "tether": "parent-death guard",
    "roads": "endpoints",
}
# A channel in Valkey, by which workers of two versions hear each other; a mail server's name.
STAYS = {"ekiden:bell", "Courier MTA"}
WORD = re.compile(rf"(?<![A-Za-z:])({'|'.join(RETIRED)})(?![A-Za-z])", re.IGNORECASE)


def texts():
    for path in [
        *modules(),
        *ROOT.glob("docs/**/*.md"),
        ROOT / "CONTRIBUTING.md",
        ROOT / "README.md",
    ]:
        yield path, path.read_text(encoding="utf-8")


def retired_in(text):
    for stays in STAYS:
        text = text.replace(stays, "")
    return sorted({found[0].lower() for found in WORD.finditer(text.replace("_", " "))})


def test_no_retired_word_is_used():
    found = {
        str(path.relative_to(ROOT)): words for path, text in texts() if (words := retired_in(text))
    }
    assert found == {}, {word: RETIRED[word] for words in found.values() for word in words}


@pytest.mark.parametrize("text", ["the Courier of a lane", "self._depot", "rung by a bell"])
def test_a_retired_word_is_found(text):
    assert retired_in(text)
