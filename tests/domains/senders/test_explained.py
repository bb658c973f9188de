import ast
from pathlib import Path

import pytest
from django.utils import translation

from domains.senders import records
from domains.senders.explained import TEXTS, explained


def written_in_records():
    """Yield every text that a finding can have, with an x for what it names."""
    for node in ast.walk(ast.parse(Path(records.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "Found",
            "Missing",
            "Wrong",
        ):
            text = node.args[1]
            parts = text.values if isinstance(text, ast.JoinedStr) else [text]
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts
            )


@pytest.mark.parametrize("text", list(written_in_records()))
def test_nothing_that_a_check_can_find_is_forgotten(text):
    with translation.override("ja"):
        assert explained(text) != text


def test_a_finding_is_told_in_japanese_with_its_names():
    text = (
        "There is no such record at _dmarc.shop.test. Publish it; DNS may take an hour to show it."
    )
    with translation.override("ja"):
        assert explained(text).startswith("_dmarc.shop.test に")
    assert explained(text) == text


@pytest.mark.parametrize("text", TEXTS)
def test_each_is_known_in_japanese(text):
    filled = (
        text.replace("%(terms)s", "a")
        .replace("%(name)s", "b")
        .replace("%(value)s", "c")
        .replace("%(policy)s", "d")
        .replace("%(error)s", "e")
    )
    with translation.override("ja"):
        assert explained(filled) != filled


def test_another_text_stays_as_it_is():
    assert explained("50% of it") == "50% of it"
