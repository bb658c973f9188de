"""Every class is explained to the people who must act on it."""

from pathlib import Path

import pytest

from suppressions.classes import MEANINGS, Class

WORDS = {
    "unknown_user", "unknown_domain", "mailbox_full", "mailbox_disabled", "recipient_refused",
    "sender_refused", "reputation",
    "authentication", "policy", "content", "virus", "too_large", "rate_limited", "relay_denied",
    "network", "system", "complaint",
    "auto_reply", "delivered", "other",
}  # fmt: skip


def test_the_classes_are_those_that_programs_rely_on():
    assert {str(each) for each in Class} == WORDS


@pytest.mark.parametrize("class_", Class)
def test_a_class_is_explained_with_an_advice(class_):
    meaning = MEANINGS[class_]
    assert meaning.title and meaning.explanation.endswith(".") and meaning.advice.endswith(".")


def test_the_page_about_classes_says_what_the_code_says():
    page = (Path(__file__).parents[2] / "docs" / "classes.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{class_}` | {each.explanation} | {told(each)} | {each.fault} |"
        for class_, each in MEANINGS.items()
    ]


def told(meaning):
    return (
        f"{meaning.advice} Once it has ended: {meaning.final}" if meaning.final else meaning.advice
    )


@pytest.mark.parametrize("class_", Class)
def test_nobody_is_told_to_wait_for_what_has_ended(class_):
    assert "tries again" not in MEANINGS[class_].final_advice and not MEANINGS[
        class_
    ].final_advice.startswith("Wait")
