"""What we know of a host beyond what it says of itself: which extensions carried messages, and
which it offers and breaks.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from deliveries.smtp.outcomes import Bounced, Deferred, Outcome, Stage
from deliveries.smtp.replies import Reply

MINUTE, DAY = 60.0, 86_400.0

# Replies about a command or a parameter, and not about the message (RFC 5321, section 4.2.2; 555
# for parameters of MAIL and RCPT).
COMMAND = frozenset({500, 501, 502, 503, 504})
PARAMETER = COMMAND | {555}


@dataclass(frozen=True, slots=True)
class Extension:
    """When a refusal may be the extension's fault: by reply code at these stages, or by silence or
    loss at those.

    `keep` is how many seconds a host that broke it goes without it.
    """

    keyword: str
    stages: frozenset[Stage] = frozenset()
    codes: frozenset[int] = frozenset()
    words: str = ""  # a pattern of lower-case text that says the same with any 5yz
    lost_at: frozenset[Stage] = frozenset()
    keep: float = DAY
    is_always_suspect: bool = False  # even where it has worked: the hosts behind one name differ

    def may_have_broken(self, outcome: Outcome) -> bool:
        if not isinstance(outcome, Bounced | Deferred):
            return False
        if outcome.reply.local:
            return outcome.stage in self.lost_at
        reply = outcome.reply
        names_it = self.words and reply.kind == 5 and re.search(self.words, reply.text.lower())
        return outcome.stage in self.stages and (reply.code in self.codes or bool(names_it))


_NOT_KNOWN = (
    r"(?:un(?:known|supported|recogni[sz]ed)|not (?:known|supported|implemented|recogni[sz]ed))"
)


def _not_known(word: str) -> str:
    """Return the pattern of a refusal of any code that says so of this parameter."""
    return rf"\b{word}\b.{{0,40}}{_NOT_KNOWN}|{_NOT_KNOWN}.{{0,40}}\b{word}\b"


ENVELOPE = frozenset({Stage.MAIL, Stage.RCPT, Stage.DATA})

# What we say only to a host that offers it, so that each has a way back: say the same without it.
EXTENSIONS = (
    # The line of the first chunk goes alone, as `DATA` does: until the content has followed it,
    # nothing is in doubt.
    Extension(
        "CHUNKING",
        frozenset({Stage.DATA, Stage.BODY}),
        COMMAND,
        lost_at=frozenset({Stage.DATA}),
        is_always_suspect=True,
    ),
    Extension(
        "PIPELINING",
        frozenset({Stage.RCPT, Stage.DATA}),
        COMMAND,
        words="pipelin|synchroni",
        lost_at=ENVELOPE,
    ),
    Extension("SIZE", frozenset({Stage.MAIL}), PARAMETER, _not_known("size")),
    Extension("8BITMIME", frozenset({Stage.MAIL}), PARAMETER, _not_known("(?:8bitmime|body)")),
    Extension("SMTPUTF8", frozenset({Stage.MAIL}), PARAMETER, _not_known("smtputf8")),
    Extension("MT-PRIORITY", frozenset({Stage.MAIL}), PARAMETER, _not_known("mt-priority")),
    # The session decides, before MAIL (`deliveries.smtp.connection`). One broken handshake must not
    # cost encryption for long.
    Extension("STARTTLS", keep=10 * MINUTE),
)
KEEP = {extension.keyword: extension.keep for extension in EXTENSIONS}


@dataclass(frozen=True, slots=True)
class Broken:
    """`until` is the time of day in seconds; `said` is what the host answered."""

    until: float
    said: str


@dataclass(slots=True)
class Peer:
    """One host, for all connections of a lane.

    `is_news`: something was found that its lane's row should keep.

    `proven` extensions have carried a message. `is_probed`: one connection finds out right now
    whether it takes chunks.
    """

    proven: set[str] = field(default_factory=set)
    broken: dict[str, Broken] = field(default_factory=dict)
    is_probed: bool = False
    is_news: bool = False

    def lacks(self, now: float) -> frozenset[str]:
        """Return the extensions that it goes without at the time of day `now`."""
        return frozenset(keyword for keyword, broken in self.broken.items() if broken.until > now)

    def breaks(self, keyword: str, reply: Reply, *, now: float) -> None:
        """Go without it for a while: the message went on as soon as it was left out."""
        self.broken[keyword] = Broken(now + KEEP[keyword], str(reply))
        self.proven.discard(keyword)
        self.is_news = True


def suspect(said: Collection[str], outcome: Outcome, proven: Collection[str]) -> str | None:
    """Return the first of the extensions `said` that may be what the host refused, instead of the
    message.
    """
    for each in EXTENSIONS:
        if (
            each.keyword in said
            and (each.is_always_suspect or each.keyword not in proven)
            and each.may_have_broken(outcome)
        ):
            return each.keyword
    return None
