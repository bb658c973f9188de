#!/usr/bin/env python3
"""Ekiden's command line: hands its arguments to Django's commands."""

import gc
import os
import sys


def main() -> None:
    # What a start reads in is not garbage: to look for some takes an eighth of it.
    gc.disable()
    os.environ["DJANGO_SETTINGS_MODULE"] = "relay_portal.settings"
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    from relay_portal.console import overview

    if overview.is_wanted(sys.argv[1:]):
        sys.stdout.write(overview.text())
        return
    if overview.is_version_wanted(sys.argv[1:]):
        sys.stdout.write(overview.version())
        return
    try:
        # Read here, since Django's look at the commands passes over settings that are wrong.
        assert settings.INSTALLED_APPS
        overview.CommandLine(sys.argv).execute()
    except ImproperlyConfigured as error:
        overview.fail(str(error))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # before the command could say what to do about it
        sys.exit(130)
