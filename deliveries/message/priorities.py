"""How urgent a message is: our three levels, and the numbers of MT-PRIORITY that stand for them
(RFC 6710).
"""

from enum import IntEnum


class Priority(IntEnum):
    """As the rows have it (`Credential.PriorityLevel`); the higher goes first."""

    BULK = 0
    NORMAL = 1
    URGENT = 2

    @property
    def mt_priority(self) -> int:
        """The number of the policy MIXER that has three levels like ours: non-urgent, normal,
        urgent.
        """
        return MIXER[self]


MIXER = {Priority.BULK: -4, Priority.NORMAL: 0, Priority.URGENT: 4}
BY_NAME = {priority.name.lower(): priority for priority in Priority}


def of_mt_priority(number: int) -> Priority:
    """Map -9 to 9 to our levels (RFC 6710 demands that all are taken, not that all differ): a
    number below a level's own is below that level.
    """
    if number < MIXER[Priority.NORMAL]:
        return Priority.BULK
    return Priority.URGENT if number >= MIXER[Priority.URGENT] else Priority.NORMAL
