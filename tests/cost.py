"""How the cost of some work grows with its input, compared within one run: no machine is so busy
that it changes the answer.
"""

import gc
import time

# how much more than in proportion it may grow; what is quadratic exceeds it from a few times the
# size on
MARGIN = 4
LEAST = 0.002  # seconds: what takes less is all noise


def seconds(work, repeat=3):
    """Return CPU seconds of the quickest of some runs."""
    took = []
    gc.disable()  # a collection walks all that the test run holds
    try:
        for _ in range(repeat):
            begin = time.process_time()
            work()
            took.append(time.process_time() - begin)
    finally:
        gc.enable()
    return min(took)


def assert_in_proportion(work, size, *, factor=10):
    """Check that `work(size)` costs some `factor` times what `work(size // factor)` does, not its
    square.
    """
    small, large = seconds(lambda: work(size // factor)), seconds(lambda: work(size))
    assert large < max(small, LEAST) * factor * MARGIN, (
        f"{factor} times the input takes {large / max(small, LEAST):.0f} times as long"
    )
