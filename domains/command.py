"""How our commands speak: one line and exit status 2 for a mistake, JSON where a program reads."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

__all__ = ["CommandError", "CommandParser", "EkidenCommand"]


class OneLineParser(CommandParser):
    """argparse that answers a wrong call in one line, with the way to the help."""

    def error(self, message: str) -> Any:
        if self.called_from_command_line:
            self.exit(2, f"ekiden: {message} (see {self.prog} --help)\n")
        super().error(message)


class EkidenCommand(BaseCommand):
    """A command for people: `CommandError` and a database out of reach end in one line, not in a trace."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs.setdefault("usage", None)
        parser = OneLineParser(
            prog=f"ekiden {subcommand}",
            description=self.help or None,
            called_from_command_line=getattr(self, "_called_from_command_line", False),
        )
        self.add_arguments(parser)
        for name in ("--settings", "--pythonpath", "--traceback", "--no-color", "--force-color", "--skip-checks"):
            self._add_hidden(parser, name)
        return parser

    @staticmethod
    def _add_hidden(parser: CommandParser, name: str) -> None:
        takes_value = name in ("--settings", "--pythonpath")
        parser.add_argument(name, help="==SUPPRESS==", **({} if takes_value else {"action": "store_true"}))

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except DatabaseError as error:
            first_line = str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
            fail(f"PostgreSQL is out of reach: {first_line} (is the service up? try: ekiden up)")

    def execute(self, *args: Any, **options: Any) -> Any:
        if not getattr(self, "_called_from_command_line", False):
            return super().execute(*args, **options)
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            fail(str(error))

    def write_json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, ensure_ascii=False, default=str))


def fail(message: str) -> None:
    sys.stderr.write(f"ekiden: {message}\n")
    sys.exit(2)
