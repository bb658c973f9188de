"""What a lease and a claim bring: the lane, what was learned of it, and deliveries in hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class LeasedLane:
    """A lane in our hands until the lease ends; `hosts` are (preference, host, port)."""

    id: int
    site: str
    source: str
    hosts: list[tuple[int, str, int]]
    tls: str
    is_routed: bool
    is_forced: bool
    epoch: int
    failures: int
    pace: dict[str, Any]
    experience: dict[str, Any]
    is_shared: bool = False  # by several recipient domains
    smarthost: int | None = None
    home: int | None = None  # the lane of its site, where `source` names one of our sources


@dataclass(frozen=True, slots=True)
class Learned:
    """What a lane's row keeps of its pace: for people (`window` connections, `rate` a second, the
    rule), and for the next holder.

    A success ends the lane's row of failures. `allowed` by the rule, `learned` and `sent` since the
    last note are for the lane's history, and `back_offs` what made it slower or stop.
    """

    window: int
    rate: float | None
    provider: str
    pace: dict[str, Any]
    experience: dict[str, Any]
    is_success: bool
    allowed: float | None = None
    learned: float | None = None
    sent: int = 0
    back_offs: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in an agent's hands, with all it needs to decide about it.

    Sizes in bytes, waits in seconds. `data` is the compressed content where it is small, with the
    first of a message's deliveries that were claimed together.
    """

    id: UUID
    message_id: UUID
    recipient: str
    domain: str
    notify: str
    attempts: int
    throttles: int
    is_in_doubt: bool
    was_claimed: bool
    priority: int
    flow: int
    project_id: int
    hold: int
    is_here: bool
    is_sandboxed: bool  # its project or credential has a sandbox of its own
    suppressed: str | None
    suppression: int | None
    may_try: bool | None  # the suppressed address, for which the time of probation has come
    mail_from: str
    size: int
    eight_bit: bool
    smtputf8: bool
    retry_schedule: list[int]
    in_doubt_policy: str
    sends_reports: bool
    seconds_left: float
    seconds_due: float = 0.0
    header_from: str = ""
    data: bytes | None = field(default=None, repr=False, compare=False)
