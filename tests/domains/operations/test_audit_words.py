"""The audit log names what acts by itself in words of ours, which are translated."""

import re
from pathlib import Path

from domains.operations.audit_words import ACTORS

ROOT = Path(__file__).parents[3]
PACKAGES = ("deliveries", "domains", "suppressions", "smtp_listener", "relay_portal")
NAMED = re.compile(r'^ACTOR = "(.+)"$', re.MULTILINE)
NOTED = re.compile(r"audit\.note\(\s*([A-Z]\w*),")


def sources():
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            yield path, path.read_text(encoding="utf-8")


def test_whatever_acts_by_itself_has_a_name_in_the_log():
    acting = {name for _path, text in sources() for name in NAMED.findall(text)}
    for _path, text in sources():
        for constant in set(NOTED.findall(text)) - {"ACTOR"}:
            acting |= set(re.findall(rf'^{constant} = "(.+)"$', text, re.MULTILINE))
    assert {"alert", "rest"} < acting
    assert acting - ACTORS.keys() == set()
