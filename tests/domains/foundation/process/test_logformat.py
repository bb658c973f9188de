"""Every line of every logger: a stranger forges neither field nor line."""

import ast
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.foundation.process.logformat import JSONFormatter, LineFormatter, words
from domains.foundation.text import texts

ROOT = Path(__file__).resolve().parents[4]
PACKAGES = ("domains", "suppressions", "deliveries", "smtp_listener", "relay_portal")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
HOSTILE = st.text(
    st.sampled_from("ab= <>\"'\\%\r\n\x00\x0b\x1b\x85\x9b\u2028\u202e\ud800あ")
) | st.sampled_from(
    [
        "x event=delivered client=9.9.9.9",
        "a\n2026-11-26 01:00:00,000 INFO    event=accepted",
        '" event=delivered x="',
        "\u2028event=x",
    ]
)


def record(template, *arguments, exc_info=None, level=logging.INFO):
    return logging.LogRecord("ekiden.mail", level, __file__, 1, template, arguments, exc_info)


def line(template, *arguments, **more):
    return LineFormatter().format(record(template, *arguments, **more))[32:]


def facts(template, *arguments, **more):
    return json.loads(JSONFormatter().format(record(template, *arguments, **more)))


def test_a_plain_line_is_as_it_always_was():
    shown = LineFormatter().format(
        record("message=%s event=%s to=<%s> code=%s", UUID(int=1), "delivered", "a@b.test", 250)
    )
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO    message=0{8}-\S+ event=delivered "
        r"to=<a@b\.test> code=250",
        shown,
    )


@pytest.mark.parametrize(
    ("template", "arguments", "expected"),
    [
        (
            "to=<%s> x=1",
            ("b-x event=delivered client=9.9.9.9",),
            r'to="<b-x event\u003ddelivered client\u003d9.9.9.9>" x=1',
        ),
        ("text=%r", ("User unknown",), 'text="User unknown"'),
        ("text=%r", ("plain",), "text=plain"),
        ("delivery=%s", (None,), "delivery=-"),
        ("seconds=%.0f n=%d", (1.4, 3), "seconds=1 n=3"),
        (
            "lane=%s could not claim: %s",
            (3, "lost\nevent=x"),
            r'lane=3 could not claim: "lost\nevent=x"',
        ),
        ("100%% of %d", (5,), "100% of 5"),
        ("said %s and %r", ("a b", 'c"'), r'said "a b" and "c\""'),
        ("too few %s %s", ("a\n",), None),
    ],
)
def test_an_argument_is_one_value(template, arguments, expected):
    if expected is None:
        with pytest.raises(TypeError):  # as logging itself: the handler prints it and goes on
            line(template, *arguments)
    else:
        assert line(template, *arguments) == expected


def test_what_has_no_arguments_or_named_ones_is_one_line():
    assert line("a\x85b\u2028c") == r"a\u0085b\u2028c"
    assert line("%(who)s failed", {"who": "a\nb"}) == r'"a\nb failed"'


@given(st.lists(HOSTILE, min_size=3, max_size=3))
def test_no_argument_forges_a_field_or_a_line(values):
    shown = line(
        "client=%s event=refused command=%s to=<%s> text=%r what %s",
        "192.0.2.1",
        values[0],
        values[1],
        values[2],
        values[0],
    )
    assert not any(map(texts.is_control, shown))
    assert re.findall(r"(?<= )event=\S+", shown) == ["event=refused"]
    assert len(shown.splitlines()) == 1


@given(HOSTILE)
def test_a_traceback_is_indented_and_its_lines_are_lines(words):
    try:
        raise ValueError(words)
    except ValueError:
        shown = LineFormatter().format(record("client=%s failed", words, exc_info=sys.exc_info()))
    first, *more = shown.splitlines()
    assert more
    assert shown.count("\n") == len(more)
    assert all(each.startswith("    ") for each in more)
    assert not any(map(texts.is_control, "".join([first, *more])))


@given(st.lists(HOSTILE, min_size=2, max_size=2))
def test_a_json_line_is_one_object_with_the_values_as_they_were(values):
    shown = JSONFormatter().format(
        record(
            "message=%s event=refused to=<%s> n=%d b=%s: %s",
            UUID(int=1),
            values[0],
            3,
            None,
            values[1],
        )
    )
    assert len(shown.splitlines()) == 1
    assert not any(map(texts.is_control, shown))
    read = json.loads(shown)
    assert (read["event"], read["n"]) == ("refused", 3)
    assert read["message"] == str(UUID(int=1))
    if "\ud800" not in "".join(values):
        assert read["to"] == f"<{values[0]}>"
    assert read["level"] == "info"


def test_json_keeps_numbers_nothing_and_words():
    read = facts("lane=%s code=%s host=%s could not claim: %s", 3, 250, None, "a b")
    assert (read["lane"], read["code"], read["host"], read["note"]) == (
        3,
        250,
        None,
        "could not claim: a b",
    )


def test_json_holds_the_traceback():
    try:
        raise ValueError("a\nb")
    except ValueError:
        assert "ValueError: a\nb" in facts("failed", exc_info=sys.exc_info())["traceback"]


WARN = (
    "import django, warnings; django.setup(); warnings.warn('a\\n2026-11-26 b\\x85c', stacklevel=1)"
)


@pytest.mark.parametrize(("form", "begins"), [("text", "20"), ("json", "{")])
def test_warnings_of_libraries_are_log_lines(form, begins):
    """What a library warns of may quote a client."""
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "relay_portal.settings",
        "EKIDEN_LOG_FORMAT": form,
    }
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", WARN],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == texts.lines(done.stdout)
    [warned] = [line for line in done.stdout.splitlines() if "UserWarning" in line]
    assert warned.startswith(begins)
    assert r"a\n2026-11-26 b\u0085c" in warned
    assert "UserWarning" not in done.stderr


def calls():
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if _logs(node):
                    yield path.relative_to(ROOT), node


def _logs(node):
    called = node.func if isinstance(node, ast.Call) else None
    is_method = isinstance(called, ast.Attribute) and called.attr in LEVELS
    return (
        is_method
        and isinstance(called.value, ast.Name)
        and called.value.id in {"logger", "log", "logging"}
    )


LOGGED = list(calls())


def test_log_calls_are_found():
    assert len(LOGGED) > 40


@pytest.mark.parametrize(
    ("path", "node"), LOGGED, ids=[f"{path}:{node.lineno}" for path, node in LOGGED]
)
def test_a_template_is_ours_alone(path, node):
    """Put together before it is logged, a stranger's words could not be told from ours.

    A field has one argument, unquoted.
    """
    template = node.args[0]
    assert isinstance(template, ast.Constant), "log a constant template with arguments"
    for word in words(template.value):
        if word.key:
            assert word.takes <= 1, f"{word.key} has several arguments"
            assert not {"'", '"'} & set(word.text), f"{word.key} is quoted by the formatter"
