"""How our commands speak: one line and exit status 2 for a mistake, JSON where a program reads."""

import argparse
import inspect
import json
import os
import shutil
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError, ProgrammingError, connections
from psycopg.errors import UndefinedTable
from redis.exceptions import RedisError

from domains.foundation.process import systemd
from domains.foundation.process.postgres_session import UnsafeDatabase
from domains.foundation.secrets.keyring import KeyRingError
from domains.foundation.text import tables, texts
from domains.foundation.text.addresses import BadAddress

__all__ = ["ActionCommand", "AddAction", "CommandError", "CommandParser", "EkidenCommand"]

# What Django reads from every command line or expects in every command's options; for people it
# would only be noise.
DJANGOS_FLAGS = ("--traceback", "--no-color", "--force-color", "--skip-checks")
DJANGOS_VALUES = ("--settings", "--pythonpath")
AddAction = Callable[[str, Callable[..., None], str], CommandParser]

START = "is the service up? Start it: ./ekiden up"


class OneLineParser(CommandParser):
    """argparse that answers a wrong call in one line, with the way to the help."""

    def error(self, message: str) -> NoReturn:
        if self.called_from_command_line:
            self.exit(2, f"ekiden: {message} (see {self.prog} --help)\n")
        raise CommandError(message)


class EkidenCommand(BaseCommand):
    """A command for people: whatever they can mend ends in one line, never in a trace."""

    # `ekiden up` and the tests run them; an everyday command should not take its time for them
    requires_system_checks = []

    # Django's signature.
    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        is_from_shell = getattr(self, "_called_from_command_line", False)
        parser = OneLineParser(
            prog=f"ekiden {subcommand}",
            description=self.help,
            called_from_command_line=is_from_shell,
            **kwargs,
        )
        self.add_arguments(parser)
        for name in DJANGOS_FLAGS:
            parser.add_argument(name, action="store_true", help=argparse.SUPPRESS)
        for name in DJANGOS_VALUES:
            parser.add_argument(name, help=argparse.SUPPRESS)
        parser.add_argument("-v", "--verbosity", type=int, default=1, help=argparse.SUPPRESS)
        return parser

    def run_from_argv(self, argv: list[str]) -> None:
        self._called_from_command_line = True
        systemd.report_crashes()
        options = vars(self.create_parser(*argv[:2]).parse_args(argv[2:]))
        try:
            self.execute(**options)
        except CommandError as error:
            fail(str(error), status=error.returncode if error.returncode != 1 else 2)
        except KeyboardInterrupt:
            sys.exit(130)
        except BrokenPipeError:  # `ekiden trace … | head`
            sys.stderr.close()
            sys.exit(141)
        finally:
            connections.close_all()

    def execute(self, *args: Any, **options: Any) -> Any:  # Django's signature
        """Run the command; turn mistakes that people can mend into a `CommandError`."""
        try:
            return super().execute(*args, **options)
        except ValidationError as error:
            raise CommandError(" ".join(_explained(error))) from error
        except BadAddress as error:
            raise CommandError(error.text) from error
        except (KeyRingError, UnsafeDatabase) as error:
            raise CommandError(str(error)) from error
        except (OperationalError, InterfaceError) as error:
            raise CommandError(_out_of_reach("PostgreSQL", "DATABASE_URL", error)) from error
        except ProgrammingError as error:
            if not isinstance(error.__cause__, UndefinedTable):
                raise
            raise CommandError(f"The database is not set up yet ({START})") from error
        except RedisError as error:
            raise CommandError(_out_of_reach("Valkey", "REDIS_URL", error)) from error

    def write_json(self, value: Any) -> None:
        # Its escapes are JSON's.
        self.stdout.write(texts.clean(json.dumps(value, ensure_ascii=False, default=str)))

    def write_table(self, rows: list[tuple[str, ...]], *, empty: str) -> None:
        """Write columns with the first row as header, no wider than the terminal; `empty` where
        there is no other row.
        """
        if len(rows) < 2:
            return self.stdout.write(empty)
        rows = [tuple(map(texts.clean, row)) for row in rows]  # strangers wrote some of it
        for line in tables.table(rows, self.terminal_width()):
            self.stdout.write(line)
        return None

    def terminal_width(self) -> int | None:
        """Return how many characters a line may have; None where no terminal shows it, since a
        program would not know what to do with folded cells.
        """
        return shutil.get_terminal_size().columns if self.stdout.isatty() else None


class ActionCommand(EkidenCommand):
    """A command with actions, such as `project create`: each is a method that takes its own
    options. One that takes `as_json` has the option --json.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(metavar="ACTION", required=True)
        parsers: list[CommandParser] = []

        def add(name: str, method: Callable[..., None], help: str) -> CommandParser:
            made: CommandParser = actions.add_parser(name, help=help, description=help)
            made.set_defaults(action=method)
            parsers.append(made)
            return made

        self.add_actions(add)
        for each in parsers:
            takes = inspect.signature(each.get_default("action")).parameters
            if "as_json" in takes and each.get_default("as_json") is None:
                each.add_argument("--json", action="store_true", dest="as_json")

    def add_actions(self, add: AddAction) -> None:
        """Call `add(name, method, help)` for each action."""
        raise NotImplementedError

    def handle(self, *args: Any, action: Callable[..., None], **options: Any) -> None:
        action(**{name: value for name, value in options.items() if name not in DJANGOS_OPTIONS})


DJANGOS_OPTIONS = {
    name.strip("-").replace("-", "_") for name in (*DJANGOS_FLAGS, *DJANGOS_VALUES)
} | {"verbosity", "stdout", "stderr"}


def _explained(error: ValidationError) -> list[str]:
    """Return the messages, each with its field's name where it has one."""
    if not hasattr(error, "error_dict"):
        return [str(message) for message in error.messages]
    return [
        message if field == "__all__" else f"{field.replace('_', ' ')}: {message}"
        for field, messages in error.message_dict.items()
        for message in messages
    ]


def _out_of_reach(name: str, variable: str, error: Exception) -> str:
    """Say what was asked, and where: without a URL a command looks for the server that `up` runs
    on the data folder.
    """
    if os.environ.get(variable):
        return f"{name} is out of reach: {first_line(error)} ({START})"
    data = settings.EKIDEN_DATA
    if not os.path.isdir(data) or "No such file" in str(error):
        return (
            f"No service runs with its data in {data} (start one: ./ekiden up; one with another "
            "folder: set EKIDEN_DATA to it)"
        )
    return f"{name} is out of reach: {first_line(error)} (its data: {data}; {START})"


def first_line(error: Exception) -> str:
    return next(iter(texts.lines(str(error).strip())), "no answer")


def fail(message: str, *, status: int = 2) -> NoReturn:
    systemd.say_error(f"ekiden: {message}")
    sys.exit(status)
