"""The documents are true to the code: every setting, command, option, reply and unit in them
exists, and the other way round.
"""

import argparse
import ast
import json
import re
import shlex
from contextlib import suppress
from functools import cache
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands, load_command_class

from deliveries.insight.tracing import AttemptFacts, DeliveryFacts, MessageFacts
from deliveries.models.states import DeliveryState
from deliveries.smtp.outcomes import Stage
from domains.foundation.command import CommandError
from relay_portal.console import overview
from smtp_listener.protocol import replies
from smtp_listener.protocol.replies import ServerReply
from smtp_listener.sandbox.answers import RULES

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
UNITS = sorted(ROOT.glob("deploy/*.service"))
COMMANDS = [name for commands in overview.GROUPS.values() for name in commands]
REGISTRIES = re.compile(
    r"\b(pypi|pythonhosted|npmjs|docker|ghcr|quay|crates|rubygems|anaconda)\.(org|com|io)\b"
)
PACKAGES = ("domains", "suppressions", "deliveries", "smtp_listener", "relay_portal")
NOT_IN_SETTINGS = {"EKIDEN_PYTHON"}  # read by the script `ekiden`


def page(name):
    return (ROOT / name).read_text(encoding="utf-8")


def rows(text):
    """Yield the cells of each table row, in any table."""
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def fenced(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


# --- settings -------------------------------------------------------------------------------------
def settings_of_code():
    """Name and default as the documents spell it; None where it is computed."""
    for node in ast.walk(ast.parse(page("relay_portal/settings.py"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setting":
            name, default = node.args[0].value, node.args[2]
            match default:
                case ast.Constant(value="") | ast.List(elts=[]):
                    yield name, None if name == "EKIDEN_SECRET_KEY" else "–"
                case ast.Constant(value=str() | int() as value):
                    yield name, f"`{value}`"
                case _:
                    yield name, None


def documented_settings():
    return {
        cells[0].strip("`"): cells[1]
        for cells in rows(page("docs/settings.md"))
        if re.fullmatch(r"`[A-Z_]+`", cells[0])
    }


def test_the_settings_page_holds_just_the_settings_that_are_read():
    assert set(documented_settings()) - NOT_IN_SETTINGS == set(dict(settings_of_code()))


@pytest.mark.parametrize(("name", "default"), [*settings_of_code()])
def test_a_default_is_documented_as_it_is(name, default):
    said = documented_settings()[name]
    assert said == default if default is not None else said not in ("", "–")


def test_the_example_environment_names_settings_only():
    named = re.findall(r"^#?([A-Z_]+)=", page("deploy/ekiden.env.example"), re.MULTILINE)
    assert named and set(named) <= set(dict(settings_of_code()))


# --- commands -------------------------------------------------------------------------------------
def parser_of(name):
    return load_command_class(get_commands()[name], name).create_parser("ekiden", name)


def sub_parsers(parser):
    return {
        name: sub
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, sub in action.choices.items()
    }


def options_of(parser):
    own = {
        option
        for action in parser._actions
        if action.help != argparse.SUPPRESS
        for option in action.option_strings
        if option.startswith("--")
    }
    return own.union(*map(options_of, sub_parsers(parser).values())) - {"--help"}


def sections():
    """Return the commands page by its headings of the second level."""
    parts = re.split(r"^#{1,2} (.+)\n", page("docs/commands.md"), flags=re.MULTILINE)
    return {
        title: text
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
        if re.fullmatch(r"[a-z_]+", title)
    }


def test_the_commands_page_holds_just_the_commands_of_the_overview():
    assert set(sections()) == set(COMMANDS) <= set(get_commands())


@pytest.mark.parametrize(
    "name", sorted(set(COMMANDS) - {"test"})
)  # all options of `test` are pytest's
def test_a_command_is_documented_with_just_its_options(name):
    own = re.sub(
        rf"^ *\./ekiden (?!{name} ).*$", "", sections()[name], flags=re.MULTILINE
    )  # `up` prints a line for `send`
    assert set(re.findall(r"--[a-z][a-z0-9-]+", own)) == options_of(parser_of(name))


@pytest.mark.parametrize("name", sorted(name for name in COMMANDS if sub_parsers(parser_of(name))))
def test_a_command_is_documented_with_just_its_actions(name):
    said = set(re.findall(rf"^\| `{name} ([a-z-]+)", sections()[name], re.MULTILINE))
    assert said == set(sub_parsers(parser_of(name)))


def lines_to_type():
    for path in PAGES:
        for block in fenced(path.read_text(encoding="utf-8"), "sh"):
            yield from (
                (path.name, line) for line in block.splitlines() if re.match(r"(\./)?ekiden ", line)
            )


@pytest.mark.parametrize(("name", "line"), [*lines_to_type()])
def test_a_line_to_type_is_understood(name, line):
    if line.endswith('-c "'):
        line += '"'  # Python over several lines
    _, command, *arguments = shlex.split(line, comments=True)
    if command in ("help", "test"):
        return
    try:
        parser_of(command).parse_args(arguments)
    except CommandError as error:
        pytest.fail(f"{name}: {line}: {error}")


# --- what programs and apps rely on ---------------------------------------------------------------
def test_the_documented_trace_has_the_shape_of_the_code():
    [trace] = [
        found
        for block in fenced(page("docs/commands.md"), "json")
        if "message" in (found := json.loads(block))
    ]
    assert trace["message"].keys() == MessageFacts.__annotations__.keys()
    [delivery] = trace["deliveries"]
    assert delivery.keys() == DeliveryFacts.__annotations__.keys()
    assert delivery["attempts"][0].keys() == AttemptFacts.__annotations__.keys()


def printed(*words):
    """Return what the command prints as JSON, whatever its exit status."""
    out = StringIO()
    with suppress(SystemExit):
        call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.mark.usefixtures("mail_db")
@pytest.mark.parametrize(
    ("words", "name"),
    [(["status"], "ready"),
        (["credential", "create", "--project", "shop", "--name", "n"], "password"),
                        (["conservation"], "missing")],
)  # fmt: skip
def test_a_documented_shape_is_what_the_command_prints(words, name):
    call_command("project", "create", "shop", stdout=StringIO())
    [example] = [
        found
        for block in fenced(page("docs/commands.md"), "json")
        if name in (found := json.loads(block))
    ]
    said = printed(*words)
    assert {key: type(value) for key, value in said.items()} == {
        key: type(value) for key, value in example.items()
    }
    assert said.get("parts", {}).keys() == example.get("parts", {}).keys()


@pytest.mark.parametrize("words", [Stage, DeliveryState])
def test_every_stage_and_state_is_explained(words):
    explained = page("docs/commands.md").partition("# JSON that programs may rely on")[2]
    assert [word for word in words if f"`{word.value}`" not in explained] == []


def shown(reply):
    return f"`{reply.code} {reply.enhanced} {re.sub(r'{[a-z]+}', '…', reply.text)}`"


def test_the_reply_tables_hold_just_the_refusals_of_the_listener():
    said = {
        cells[0]
        for cells in rows(page("docs/sending.md"))
        if re.match(r"`[45]\d\d \d\.\d+\.\d+ \S", cells[0])
    }
    assert said == {
        shown(reply)
        for reply in vars(replies).values()
        if isinstance(reply, ServerReply) and reply.is_refusal
    }


def test_the_sandbox_table_holds_just_its_rules():
    table = page("docs/sending.md").partition("\n## The sandbox")[2].partition("\n## ")[0]
    said = [cells for cells in rows(table) if cells[0].startswith("`")]
    assert said == [
        [f"`{rule.name}`", rule.stage, f"`{rule.reply}`" if rule.reply else "–", rule.meaning]
        for rule in RULES.values()
    ]


def words_of_the_product():
    """Yield what the table of symptoms quotes; “…” stands for what differs."""
    table = (
        page("docs/operations.md")
        .partition("\n## When something is wrong")[2]
        .partition("\n## ")[0]
    )
    for cells in rows(table):
        for quoted in re.findall(r"`([^`]+ [^`]+)`", cells[0]):
            yield from (
                part.strip()
                for part in quoted.removeprefix("ekiden: ").split("…")
                if len(part.strip()) > 8
            )


@cache
def texts_of_the_product():
    """Return each text in the code, whole though it stands on several lines."""
    return [
        node.value
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


@pytest.mark.parametrize("words", [*words_of_the_product()])
def test_the_table_of_symptoms_quotes_the_product(words):
    # A reply's code and text stand apart in the source.
    code = re.sub(r"^\d\d\d \d\.\d+\.\d+ ", "", words)
    assert any(code in text for text in texts_of_the_product())


@pytest.mark.parametrize(
    "path",
    sorted({*ROOT.glob("docs/decisions/*.md")} - {ROOT / "docs/decisions/README.md"}),
    ids=str,
)
def test_a_decision_has_a_date_and_says_what_would_change_it(path):
    text = path.read_text(encoding="utf-8")
    assert re.search(r"^\*\*Date\.\*\* 20\d\d-\d\d-\d\d", text, re.MULTILINE)
    assert "\n**What would change it.** " in text
    assert f"({path.name})" in page("docs/decisions/README.md")
