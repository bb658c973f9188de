"""How many seconds a client has for what it does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds a client has for what it does (RFC 5321, section 4.5.3.2)."""

    idle: float = 300.0  # for a whole command line
    block: float = 180.0  # for each piece of a message
    message: float = 1800.0  # for a whole one: 25 MB at 14 KB a second
    handshake: float = 30.0
    last_words: float = 5.0  # to take our last reply
    # A guest's, from the moment it came: RFC 5321 gives a client minutes, but who says nothing
    # takes the place of others.
    first_command: float = 30.0
    log_in: float = 60.0  # at the ports of apps
    # At the MX port, where nobody logs in: after so long no further message is begun.
    visit: float = 900.0
