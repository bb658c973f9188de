"""When a deferred delivery is tried again."""

from collections.abc import Sequence

MINUTE, HOUR = 60, 3600

# The first waits are short for greylisting: most filters take the second try after one to five minutes, and RFC 5321,
# section 4.5.4.1, asks for at least 30 minutes only once those are over.
SCHEDULE = (MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 8 * HOUR)

# A reply lost after the final dot: long enough for the peer to have finished what it was slow with.
IN_DOUBT_WAIT = HOUR


def wait(attempts: int, *, schedule: Sequence[int] = (), spread: float) -> float:
    """Seconds to wait after the `attempts`-th deferred attempt (1 is the first).

    `spread` is a random number from 0 to 1; it adds up to a tenth, so that what failed together does not return together.
    """
    steps = schedule or SCHEDULE
    return steps[min(attempts, len(steps)) - 1] * (1 + 0.1 * spread)


def lane_pause(failures: int, *, spread: float) -> float:
    """Seconds to leave a site alone after it has failed this many times in a row: 15 s, doubling up to 15 minutes."""
    return min(15.0 * 2.0 ** min(failures - 1, 10), 900.0) * (1 + 0.1 * spread)
