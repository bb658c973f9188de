"""The settings to copy: as documented, where real clients run them, and with own values."""

import re
from pathlib import Path

import pytest

from domains.senders import client_settings

PAGE = Path(__file__).parents[3] / "docs/sending.md"
BLOCKS = re.compile(r"^\*\*([\w ]+)\*\*[^\n]*\n\n```\w*\n(.*?)```", re.MULTILINE | re.DOTALL)


def test_they_are_the_documented_ones():
    documented = BLOCKS.findall(PAGE.read_text().partition("\n## Frameworks")[2])
    assert [(each.name, each.text) for each in client_settings.SNIPPETS] == documented


@pytest.mark.parametrize("number", range(len(client_settings.SNIPPETS)))
def test_they_carry_the_installations_values(settings, number):
    settings.EKIDEN_HOSTNAME = "relay.test"
    settings.EKIDEN_SUBMISSIONS_PORT, settings.EKIDEN_SUBMISSION_PORT = 2465, 2587
    text = client_settings.snippets("shop-app", "s3cret", "hello@shop.test")[number].text
    assert "relay.test" in text or "[relay.test]" in text
    assert re.search(r"\b(2465|2587)\b", text)
    assert not re.search(r"shop\.example|relay\.example|\b(465|587|USER|SECRET)\b", text)
