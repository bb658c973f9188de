"""The fuzzer within CI's time; longer by command: `.venv/bin/python -m tests.fuzz --seconds 1800`."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this machine"),
]


def fuzz(*words):
    return subprocess.run([sys.executable, "-m", "tests.fuzz", *words], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_coverage_guided_fuzzer_finds_nothing_that_raises_hangs_or_leaks():
    done = fuzz("--seconds", str(SECONDS))
    assert done.returncode == 0, done.stderr[-3000:]
    [runs] = re.findall(r"Done (\d+) runs", done.stderr)
    assert int(runs) > 500


def test_an_input_that_was_found_can_be_played_again(tmp_path):
    found = tmp_path / "crash"
    found.write_bytes(b"Content-Type: multipart/report\r\n\r\n\0\xff")
    assert fuzz(str(found)).returncode == 0
