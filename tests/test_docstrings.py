"""What a function does is the first thing that its docstring says: it begins with a verb."""

import ast

import pytest

from tests.test_layers import ROOT, modules

# Words that begin a telegram. What else is no imperative shows by its shape, below.
OTHER_WORDS = """
    a an the this that these those its his her their our your my it he she they we you i
    each every all any some both no none nobody nothing one two three many more most much few
    another others whoever whatever anybody everybody everything somebody
    how what where when who whose whom which why whether if as so because since while until
    at by from in into of on onto off over under up down to for with without within till after
    before between among beside besides behind during through than then against about back
    now here there today not only also even never always once twice again thus but and or nor
    yet still just is are was were has does did can may must might will would shall should
    first second last next whole such
"""
NO_VERBS = frozenset(OTHER_WORDS.split())


def functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_property(node):
            yield node


def is_property(node):
    """Tell whether it is read like a value, so that a noun describes it."""
    return any("property" in ast.unparse(each) for each in node.decorator_list)


def begins_with_a_verb(docstring):
    """Tell whether the first word may be an imperative: `Return`, but not `Returns` or `RFC`."""
    word = docstring.split()[0].rstrip(",:;.")
    plain = word.replace("-", "")
    is_plain = plain.isalpha() and plain.istitle()
    is_other_form = word.endswith("s") and not word.endswith("ss")
    return is_plain and not is_other_form and word.lower() not in NO_VERBS


def telegrams(text):
    """Return the names of functions; a test's docstring argues for its name, and is left out."""
    docstrings = [
        (node.name, ast.get_docstring(node))
        for node in functions(text)
        if not node.name.startswith("test_")
    ]
    return [name for name, each in docstrings if each and not begins_with_a_verb(each)]


def test_the_docstring_of_a_function_begins_with_a_verb():
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in [*modules(), *(ROOT / "bench").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
        for name in telegrams(path.read_text(encoding="utf-8"))
    }
    assert found == set()


@pytest.mark.parametrize(
    "words", ["The time", "Returns it", "How many", "`name` of it", "RFC 5321", "Nobody waits"]
)
def test_a_telegram_is_found(words):
    assert telegrams(f'def f():\n    """{words}."""') == ["f"]


def test_a_property_may_be_a_noun():
    assert telegrams('@property\ndef f():\n    """The time."""') == []
