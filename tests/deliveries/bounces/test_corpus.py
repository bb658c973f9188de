"""Real reports that nobody of this project wrote, where they are at hand: a folder `corpus` beside
the checkout's parent.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("EKIDEN_CORPUS", ROOT.parent / "shared" / "corpus"))


@pytest.mark.skipif(
    not (CORPUS / "score.py").exists(), reason=f"the corpus of real reports is not at {CORPUS}"
)
def test_the_corpus_is_understood_as_well_as_we_promise():
    command = [
        sys.executable,
        str(CORPUS / "score.py"),
        "--show",
        "30",
        "--",
        sys.executable,
        str(ROOT / "manage.py"),
        "classify",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stdout
