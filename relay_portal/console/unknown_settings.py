"""Settings in the environment that Ekiden does not have: they do nothing, and mostly are
misspelt.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping

from django.conf import settings

PREFIX = "EKIDEN_"
LIKE = 0.8  # how like a setting's name another is that may have been meant; 1 is the same
# Read by the script, or given to Django under another name.
OTHERS = {"EKIDEN_SECRET_KEY", "EKIDEN_PYTHON", "EKIDEN_ALLOWED_HOSTS", "EKIDEN_TIME_ZONE"}


def found(environment: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str]]:
    """Yield what is wrong and what to do about it, for each such name."""
    known = {name.removeprefix(PREFIX) for name in names()}
    for name in sorted(filter(_is_ours, environment)):
        own = name.removeprefix(PREFIX)
        if own not in known:
            similar = difflib.get_close_matches(own, known, n=1, cutoff=LIKE)
            yield (
                f"{name} is no setting.",
                f"Did you mean {PREFIX}{similar[0]}?" if similar else "See docs/settings.md.",
            )


def names() -> set[str]:
    """Return the names of all settings that begin with our prefix."""
    return {*OTHERS, *filter(_is_ours, dir(settings))}


def _is_ours(name: str) -> bool:
    return name.startswith(PREFIX)
