"""No possessive quantifier stands behind a group: CPython 3.11.2, which Debian 12 has, reads past
what such a group matched.

There `[a-z]++(?:\\.[a-z]++)*+` takes "a.b." of "a.b.1", final dot and all (python/cpython issue
101955 and its kin). An atomic group around a greedy one, `(?>(?:…)*)`, means the same and is right
everywhere. Behind a single character or a class nothing is wrong.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BEHIND_A_GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{\d*,?\d*\})\+")
FILES = [
    path
    for package in (
        "domains",
        "suppressions",
        "deliveries",
        "smtp_listener",
        "relay_portal",
    )
    for path in sorted((ROOT / package).rglob("*.py"))
]


def found(source):
    strings = (
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )
    for node in strings:
        text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        if match := BEHIND_A_GROUP.search(text):
            yield f"{node.lineno}: {match[0]}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_group_is_repeated_possessively(path):
    assert list(found(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("pattern", ["(?:a|b)++", "(a)*+", "(?:ab){2,3}+", r"x(?:\.y)?+"])
def test_the_search_finds_them(pattern):
    assert list(found(f"re.compile({pattern!r})"))


@pytest.mark.parametrize("pattern", ["[ab]++", r"\)++", "(?>(?:ab)*)", "a++"])
def test_the_search_takes_what_is_right(pattern):
    assert list(found(f"re.compile({pattern!r})")) == []
