"""What to do about an answer to our pace, and how such an answer is recognised."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deliveries.shaping.rate import KEPT
from deliveries.smtp.outcomes import Stage
from deliveries.smtp.replies import Reply

MINUTE, HOUR = 60, 3600
# Most receivers that speak of pace do so with one of these; who uses a 5yz for it is named one by
# one.
TEMPORARY = (421, 450, 451, 452, 454)


@dataclass(frozen=True, slots=True)
class SlowDown:
    """Go on with this share of the pace that was too fast; it recovers by itself."""

    kept: float = KEPT


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing for so many seconds, then more slowly."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Block:
    """Send nothing until a person has looked: each further try makes a bad name worse."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Not about our pace, though it sounds like it: it concerns this delivery, its sender or this
    session alone.
    """


Action = SlowDown | Pause | Block | Leave


@dataclass(frozen=True, slots=True)
class Pattern:
    """`text` is searched in the enhanced code and the text, both lowered, which is three times as
    fast as ignoring the case.

    Empty sets and "" stand for any.
    """

    name: str
    provider: str
    text: re.Pattern[str]
    action: Action
    example: str
    codes: frozenset[int] = frozenset()
    stages: frozenset[Stage] = frozenset()

    def fits(self, reply: Reply, said: str, stage: Stage) -> bool:
        is_here = (not self.codes or reply.code in self.codes) and (
            not self.stages or stage in self.stages
        )
        return is_here and self.text.search(said) is not None


def pattern(
    name: str,
    text: str,
    action: Action,
    example: str,
    *,
    codes: tuple[int, ...] | None = None,
    stages: tuple[Stage, ...] = (),
) -> Pattern:
    """Build a pattern; `name` is `provider/what`, or `what` alone for all.

    Without `codes`, a reply that slows us down is a temporary one: held back for its pace, a
    message that was refused for good would come again and again. What blocks, or is none of the
    pace's business, may have any code.
    """
    if codes is None:
        codes = TEMPORARY if isinstance(action, SlowDown | Pause) else ()
    provider, _, _ = name.rpartition("/")
    return Pattern(
        name, provider, re.compile(text), action, example, frozenset(codes), frozenset(stages)
    )


SLOWER, HALF = SlowDown(), SlowDown(0.5)
OPENING = (Stage.GREETING, Stage.EHLO)
