"""`domains/foundation/text/texts.py` alone says what a control character and a line are."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("domains", "suppressions", "deliveries", "smtp_listener", "relay_portal")
TEXTS = ROOT / "domains" / "foundation" / "text" / "texts.py"
MODULES = [
    path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if path != TEXTS and "migrations" not in path.parts
]
OWN_IDEAS = {"splitlines", "isprintable"}
# The beginning of a class of control characters: \x00-\x1f, \x00-\x08, \x7f-\x9f …
CLASS = re.compile("[\x00\x7f\x80]-[\x01-\x9f]|\u2028")


def ideas(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in OWN_IDEAS:
            yield node.lineno, node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            spelled = re.sub(
                r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))",
                lambda code: chr(int(code[code.lastindex], 16)),
                text,
            )
            if CLASS.search(spelled):
                yield node.lineno, text


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_has_an_idea_of_its_own(path):
    assert not list(ideas(ast.parse(path.read_text(encoding="utf-8")))), (
        "use domains/foundation/text/texts.py: is_control, clean, lines, storable, quoted"
    )


@pytest.mark.parametrize(
    "code",
    [
        r"""re.compile("[\x00-\x1f]")""",
        r"""re.compile(rb"[\x7f-\x9f]")""",
        "text.splitlines()",
        "a.isprintable()",
        r'"\u2028"',
    ],
)
def test_an_idea_is_found(code):
    assert list(ideas(ast.parse(code)))
