#!/usr/bin/env python3
"""Ekiden's command line: hands its arguments to Django's commands."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "relay_portal.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from relay_portal import overview

    try:
        if overview.is_wanted(sys.argv[1:]):
            sys.stdout.write(overview.text())
            return
        overview.check(sys.argv[1])
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        overview.fail(str(error))


if __name__ == "__main__":
    main()
