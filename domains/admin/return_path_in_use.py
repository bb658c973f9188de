"""Says with which return path a domain's mail leaves, and why."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext

from domains.models import Domain, ReturnPathState
from domains.senders import return_paths


def leaves_with(row: Domain) -> str:
    """Return it in the reader's language."""
    own, host = return_paths.current(row), settings.EKIDEN_HOSTNAME
    given = {"host": host, "name": own.name if own is not None else row.return_path_name}
    match own.state if own is not None else "":
        case ReturnPathState.USED:
            return own.name if own is not None else ""
        case ReturnPathState.FOUND:
            return (
                gettext(
                    "%(host)s; %(name)s was found, and is used from the next check on that "
                    "finds it after ten minutes."
                )
                % given
            )
        case ReturnPathState.BROKEN:
            return gettext("%(host)s, since %(name)s is broken.") % given
        case _ if row.return_path_name:
            return gettext("%(host)s, until %(name)s has been found twice.") % given
        case _:
            return str(host)
