"""Which tests a worker keeps together, and which of them begin first.

A file's tests share what its fixtures have brought up, so a file stays with one worker. What takes
minutes begins first: no worker is left with it at the end.
"""

from xdist.scheduler import LoadScopeScheduling

# Their tests share little that takes time, and each of them takes long.
APART = (
    "tests/outside/test_starts.py",
    "tests/relay_portal/portal/test_axe.py",
    "tests/relay_portal/portal/test_privacy.py",
    "tests/relay_portal/portal/test_rights.py",
    "tests/relay_portal/portal/test_walk.py",
)
FIRST = (
    "tests/outside/test_units.py",
    "tests/outside/test_crowds.py",
    "tests/outside/test_starts.py",
    "tests/chaos/",
    "tests/deliveries/sending/test_found_pace.py",
    "tests/journeys/test_bench.py",
    "tests/journeys/test_reporters.py",
    "tests/journeys/test_judge.py",
    "tests/journeys/",
    "tests/fuzz/",
    "tests/bench/",
    "tests/test_first_compile.py",
    *APART,
    "tests/relay_portal/portal/test_policy.py",
    "tests/relay_portal/portal/test_browser.py",
)


class Shares(LoadScopeScheduling):  # type: ignore[misc]
    """xdist's way to give work to whoever is free, in files but for those of `APART`."""

    def _split_scope(self, nodeid):
        file = nodeid.partition("::")[0]
        return nodeid if file in APART else file


def rank(nodeid):
    """Return the place in the order of the run; what is not named comes after all that is."""
    return next((at for at, begin in enumerate(FIRST) if nodeid.startswith(begin)), len(FIRST))
