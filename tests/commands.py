"""Runs our commands as a person would, within the test's own database."""

import json
from io import StringIO

from django.core.management import call_command


def ekiden(*words):
    """What the command prints; a mistake raises `CommandError`, an exit status `SystemExit`."""
    printed = StringIO()
    call_command(*words, stdout=printed)
    return printed.getvalue()


def ekiden_json(*words):
    return json.loads(ekiden(*words, "--json"))
