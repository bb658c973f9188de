import subprocess
import sys
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError
from psycopg.errors import UndefinedTable

from domains.foundation.command import ActionCommand, EkidenCommand
from domains.foundation.secrets.keyring import KeyRingError
from domains.foundation.text.addresses import BadAddress


def run(*words):
    return subprocess.run(
        [sys.executable, "manage.py", *words], capture_output=True, text=True, check=False
    )


class Failing(EkidenCommand):
    help = "Fails."

    def __init__(self, error):
        super().__init__()
        self.error = error

    def handle(self, *args, **options):
        raise self.error


def test_a_wrong_call_is_one_line_and_exit_status_2():
    ended = run("project", "creat", "shop")
    assert ended.returncode == 2
    assert ended.stderr.startswith("ekiden: ")
    assert ended.stderr.endswith("(see ekiden project --help)\n")
    assert ended.stderr.count("\n") == 1


def test_an_action_must_be_named():
    with pytest.raises(CommandError, match="ACTION"):
        call_command("project")


def test_the_help_shows_our_options_and_not_djangos():
    printed = run("credential", "create", "--help").stdout
    assert "--network" in printed
    assert "--settings" not in printed


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OperationalError("connection refused\nDETAIL: more"),
            "PostgreSQL is out of reach: connection refused (is the service up",
        ),
        (KeyRingError("The key ring is missing"), "The key ring is missing"),
        (BadAddress(501, "5.1.3", "The domain is no name"), "The domain is no name"),
    ],
)
def test_what_people_can_mend_is_told_in_one_line(error, line):
    with pytest.raises(CommandError) as told:
        call_command(Failing(error))
    assert str(told.value).startswith(line)
    assert "\n" not in str(told.value)


def test_a_database_without_tables_is_told_apart_from_a_fault_of_ours():
    missing, fault = ProgrammingError(), ProgrammingError("syntax error")
    missing.__cause__ = UndefinedTable()
    with pytest.raises(CommandError, match="not set up"):
        call_command(Failing(missing))
    with pytest.raises(ProgrammingError):
        call_command(Failing(fault))


@pytest.mark.parametrize(
    ("error", "status"),
    [(CommandError("no"), 2), (CommandError("no", returncode=3), 3), (KeyboardInterrupt(), 130)],
)
def test_each_end_has_its_exit_status(error, status, monkeypatch, capsys):
    monkeypatch.setattr(
        "domains.foundation.command.connections.close_all", lambda: None
    )  # the test's own connection must live
    with pytest.raises(SystemExit) as ended:
        Failing(error).run_from_argv(["manage.py", "failing"])
    assert ended.value.code == status
    assert "Traceback" not in capsys.readouterr().err


class Terminal(StringIO):
    def isatty(self):
        return True


class Listing(EkidenCommand):
    help = "Lists."

    def handle(self, *args, **options):
        rows = [("NAME", "WHY"), ("mx.shop.test", "they move to another provider this month")]
        self.write_table(rows, empty="None.")


@pytest.mark.parametrize(("stream", "lines"), [(Terminal, 3), (StringIO, 2)])
def test_a_table_is_folded_at_a_terminal_and_never_for_a_program(stream, lines, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    out = stream()
    call_command(Listing(), stdout=out)
    assert len(out.getvalue().splitlines()) == lines


class Acting(ActionCommand):
    def add_actions(self, add):
        add("list", self.list_all, "List all.").add_argument("name")
        add("stop", self.stop, "Stop.")

    def list_all(self, *, name, as_json):
        self.write_json({"name": name}) if as_json else self.stdout.write(name)

    def stop(self):
        """Take nothing."""


def test_an_action_that_takes_as_json_has_the_option_by_itself():
    for options, said in (([], "east\n"), (["--json"], '{"name": "east"}\n')):
        out = StringIO()
        call_command(Acting(stdout=out), "list", "east", *options)
        assert out.getvalue() == said
    with pytest.raises(CommandError, match="--json"):
        call_command(Acting(), "stop", "--json")
