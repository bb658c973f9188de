"""How a command line is read (hardening A6, A8; finding 5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp_listener.protocol.commands import (
    BadCommand,
    Command,
    PathCommand,
    mt_priority,
    notify,
    orcpt,
    parse,
    parse_path,
)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"noop", Command("NOOP", "")),
        (b"MAIL FROM:<a@b.test>  ", Command("MAIL", "FROM:<a@b.test>")),
        (b"rcpt   to:<a b>", Command("RCPT", "to:<a b>")),
        ("RCPT TO:<あ@b.test>".encode(), Command("RCPT", "TO:<あ@b.test>")),
        (b"NOOP\tx", Command("NOOP", "x")),
        ("EHLO MÜLLER-PC".encode(), Command("EHLO", "MÜLLER-PC")),
        ("helo 経理部".encode("cp932"), Command("HELO", "\ufffdo\ufffd\ufffd\ufffd\ufffd")),
        (
            b"EHLO Anna's-PC$ (2nd floor)/10.0.0.1 ",
            Command("EHLO", "Anna's-PC$ (2nd floor)/10.0.0.1"),
        ),
        (b"HELO", Command("HELO", "")),
    ],
)
def test_a_line_is_a_verb_and_its_argument(line, command):
    assert parse(line) == command


@pytest.mark.parametrize(
    "line",
    [
        b"MAIL FROM:<a\0@b.test>",
        b"NOOP\n",
        b"NOOP\rQUIT",
        b"EHLO a\rQUIT",
        b"HELO\0",
        b"NOOP \x1b[2J",
        b"RCPT TO:<\xff@b.test>",
    ],
)
def test_nul_control_and_broken_bytes_are_refused(line):
    with pytest.raises(BadCommand, match="line"):
        parse(line)


@pytest.mark.parametrize("line", [b"", b" NOOP", b"N00P", b"<>"])
def test_what_is_no_verb_is_told_apart(line):
    with pytest.raises(BadCommand, match="verb"):
        parse(line)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_or_a_bad_one(line):
    try:
        command = parse(line)
        parse_path(command.argument, "FROM")
    except BadCommand:
        return
    assert "\0" not in command.argument


@pytest.mark.parametrize(
    ("argument", "path"),
    [
        ("FROM:<a@b.test>", PathCommand("a@b.test", {})),
        (
            "from: <a@b.test> size=5 body=8BITMIME",
            PathCommand("a@b.test", {"SIZE": "5", "BODY": "8BITMIME"}),
        ),
        ("FROM:<>", PathCommand("", {})),
        ('FROM:<"a>\\"b"@b.test> SMTPUTF8', PathCommand('"a>\\"b"@b.test', {"SMTPUTF8": ""})),
        ("FROM:a@b.test", PathCommand("a@b.test", {})),
        (
            "From : a@b.test\tSIZE=5  BODY=7BIT",
            PathCommand("a@b.test", {"SIZE": "5", "BODY": "7BIT"}),
        ),
        ("FROM:\t< a@b.test\t>\tSIZE=5", PathCommand("a@b.test", {"SIZE": "5"})),
        ('FROM:"a b>"@b.test SIZE=5', PathCommand('"a b>"@b.test', {"SIZE": "5"})),
    ],
)
def test_a_path_and_its_parameters_are_read(argument, path):
    assert parse_path(argument, "FROM") == path


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "TO:<a@b.test>",
        "FROM:",
        "FROM:a@b.test>",
        "FROM:<a@b.test",
        "FROM:<<a@b.test>>",
        "FROM:<a@b.test>SIZE=1",
    ],
)
def test_a_malformed_path_is_refused(argument):
    with pytest.raises(BadCommand, match="syntax"):
        parse_path(argument, "FROM")


@pytest.mark.parametrize("parameters", ["SIZE=1 SIZE=1", "=1", "SIZE==", "SI_ZE=1", "BODY=あ"])
def test_malformed_parameters_are_refused(parameters):
    with pytest.raises(BadCommand, match="parameter"):
        parse_path(f"FROM:<a@b.test> {parameters}", "FROM")


def test_parameters_of_rfc_3461_are_decoded():
    assert notify("failure,success,failure") == "FAILURE,SUCCESS"
    assert orcpt("RFC822;a+2Bb@c.test") == "rfc822;a+b@c.test"


def test_a_priority_is_one_of_nineteen_numbers():
    assert [mt_priority(str(number)) for number in range(-9, 10)] == [*range(-9, 10)]


@pytest.mark.parametrize("value", ["", "-0", "+1", "10", "-10", "01", "1.0", "urgent", "１", "4\n"])
def test_a_malformed_priority_is_refused(value):
    with pytest.raises(BadCommand, match="MT-PRIORITY"):
        mt_priority(value)
