"""The Japanese catalogue: whole, sure, and with the same placeholders as the English."""

import gettext
import re
from pathlib import Path

import pytest

import relay_portal
from smtp_listener.sandbox.answers import RULES

FOLDER = Path(relay_portal.__file__).parent / "locale" / "ja" / "LC_MESSAGES"
TEXT = re.compile(r'^(msgctxt|msgid|msgstr(?:\[0\])?) ((?:"(?:[^"\\]|\\.)*"\n?)+)', re.MULTILINE)
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sd]")


def entries():
    """Yield (msgid, msgstr, whether it is fuzzy) of each."""
    for block in (FOLDER / "django.po").read_text(encoding="utf-8").split("\n\n")[1:]:
        found = {key: unquoted(text) for key, text in TEXT.findall(block)}
        context = f"{found['msgctxt']}\x04" if "msgctxt" in found else ""  # as in a .mo file
        yield (
            context + found["msgid"],
            found.get("msgstr") or found.get("msgstr[0]"),
            "fuzzy" in block.partition("msgid")[0],
        )


def unquoted(text):
    return (
        "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)).replace('\\"', '"').replace("\\n", "\n")
    )


ENTRIES = list(entries())


def test_it_holds_what_people_see():
    msgids = {msgid for msgid, _, _ in ENTRIES}
    assert {
        "Deferred",
        "It is being delivered now.",
        "Reset filters",
        "Passkey",
        "suppressions",
        "SPF lets our hosts send.",
    } <= msgids


def test_it_holds_what_the_sandbox_says_about_its_plays():
    assert {rule.meaning for rule in RULES.values()} <= {english for english, *_ in ENTRIES}


@pytest.mark.parametrize(("english", "japanese", "is_fuzzy"), ENTRIES)
def test_every_text_is_translated_surely_and_with_its_placeholders(english, japanese, is_fuzzy):
    assert japanese and not is_fuzzy
    assert sorted(PLACEHOLDER.findall(english)) == sorted(PLACEHOLDER.findall(japanese))


def test_the_compiled_catalogue_is_of_this_text():
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    stale = [
        english
        for english, japanese, _ in ENTRIES
        if japanese not in (compiled.ngettext(english, english, 1), compiled.gettext(english))
    ]
    assert not stale
