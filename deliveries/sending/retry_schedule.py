"""When a deferred delivery is tried again."""

from collections.abc import Sequence

MINUTE, HOUR = 60, 3600

# The first waits are short for greylisting: most filters take the second try after one to five
# minutes, and RFC 5321, section 4.5.4.1, asks for at least 30 minutes only once those are over.
SCHEDULE = (
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    6 * HOUR,
    8 * HOUR,
)

# A reply lost after the final dot: long enough for the peer to have finished what it was slow with.
IN_DOUBT_WAIT = HOUR


def wait(attempts: int, *, schedule: Sequence[int] = (), spread: float) -> float:
    """Return the seconds to wait after the `attempts`-th deferred attempt (1 is the first).

    `spread` is a random number from 0 to 1; it adds up to a tenth, so that what failed together
    does not return together.
    """
    steps = schedule or SCHEDULE
    return steps[min(attempts, len(steps)) - 1] * (1 + 0.1 * spread)


# No mail host has an address: the second look, which may be final, is hours later, since zones are
# mended and come back.
SECOND_LOOK = 2 * HOUR

# Seconds for which a site is left alone at most: one that seems dead, and one that only wants less.
LANE_MOST, THROTTLED_LANE_MOST = 900.0, 120.0

# A delivery that met "too fast" is not at fault: it goes again as soon as the pace is right.
THROTTLED_WAIT = {True: 2.0, False: 5.0}
THROTTLED_MOST = 300.0


def lane_pause(failures: int, *, most: float = LANE_MOST, spread: float) -> float:
    """Return the seconds to leave a site alone after so many failures in a row: 15 s, doubling up
    to `most`.
    """
    return min(15.0 * 2.0 ** min(failures - 1, 10), most) * (1 + 0.1 * spread)


def throttled(times: int, *, is_urgent: bool, spread: float) -> float:
    """Return the seconds until a delivery is due again that was refused for the pace only, so many
    times in a row before; they double each time.
    """
    return min(THROTTLED_WAIT[is_urgent] * 2.0 ** min(times, 10), THROTTLED_MOST) * (
        1 + 0.1 * spread
    )


def interrupted(times: int) -> float:
    """Return the seconds until a delivery is due again with which a worker was lost, so many times
    in a row before.

    At first it is no more to blame than the others in hand. Later it may be what ends the worker.
    """
    return 1.0 if times < 2 else throttled(times, is_urgent=False, spread=0.0)
