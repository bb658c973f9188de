"""The suite where no module was compiled yet: what a compiler warns of is seen only then."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_test_is_collected_where_nothing_is_compiled(tmp_path):
    """A library's source may warn as it is compiled, and warnings are errors here. A package
    installed without bytecode shows that; one with bytecode hides it.
    """
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert collected.returncode == 0, collected.stdout[-4000:] + collected.stderr[-2000:]
