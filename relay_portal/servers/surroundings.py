"""What an account has set for other programs, and what must not reach our own servers."""

from __future__ import annotations

import os
from collections.abc import Mapping

LIBPQ = "PG"  # PGHOST, PGOPTIONS, PGSERVICE: another PostgreSQL's, read by libpq and by the server
LOCALE = ("LANG", "LC_")


def for_servers(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of the embedded servers and their tools.

    Its locale is C: that of the account may not be installed here (ssh brings one along), and then
    initdb refuses.
    """
    kept = {
        name: value for name, value in environment.items() if not name.startswith((LIBPQ, *LOCALE))
    }
    return kept | {"LC_ALL": "C"}


def forget_other_postgresql() -> None:
    """Take libpq's variables out of this process: a URL cannot outdo all of them (PGSERVICE)."""
    for name in [name for name in os.environ if name.startswith(LIBPQ)]:
        del os.environ[name]
