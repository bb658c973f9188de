"""Runs our commands as a person would, within the test's own database."""

import json
from io import StringIO

from django.core.management import call_command


def ekiden(*words):
    """Return what the command prints; raise `CommandError` for a mistake, `SystemExit` for a
    status.
    """
    printed = StringIO()
    call_command(*words, stdout=printed)
    return printed.getvalue()


def ekiden_json(*words):
    return json.loads(ekiden(*words, "--json"))
