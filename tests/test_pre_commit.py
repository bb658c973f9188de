"""The hooks of .pre-commit-config.yaml run what `./ekiden test` runs, and fetch nothing."""

import re
import shlex
from pathlib import Path

from relay_portal.management.commands.test import LINT

ROOT = Path(__file__).parent.parent
CONFIGURATION = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")


def values(key):
    return re.findall(rf"^\s*(?:- )?{key}: (.+)$", CONFIGURATION, re.MULTILINE)


def test_no_hook_is_fetched():
    assert set(values("repo")) == {"local"}
    assert set(values("language")) == {"system"}


def test_the_hooks_are_the_checks_of_the_test_command():
    entries = [shlex.split(entry) for entry in values("entry")]
    run = [tuple(word for word in entry if word != "--force-exclude") for entry in entries]
    # ruff is given the names of the files that changed, in place of the folder
    checks = [tuple(word for word in check if check[0] == "mypy" or word != ".") for check in LINT]
    assert run == [(f".venv/bin/{tool}", *words) for tool, *words in checks]
