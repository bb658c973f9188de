"""All targets within CI's time; longer by command: `.venv/bin/python -m tests.fuzz --seconds
3600`.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this machine"
    ),
]


def fuzz(*words, **environment):
    command = [sys.executable, "-m", "tests.fuzz", *words]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_a_coverage_guided_fuzzer_finds_nothing_that_raises_hangs_leaks_or_is_believed(mail_db):
    from tests.fuzz.targets import TARGETS

    url = re.sub(
        r"/ekiden(?=\?|$)", f"/{connection.settings_dict['NAME']}", os.environ["DATABASE_URL"]
    )
    done = fuzz("--seconds", str(SECONDS), "--jobs", "2", DATABASE_URL=url)
    assert done.returncode == 0, done.stderr[-6000:]
    runs = dict(re.findall(r"^(\w+): (\d+) inputs", done.stdout, re.MULTILINE))
    assert runs.keys() == TARGETS.keys()
    assert all(int(number) > 10 for number in runs.values()), runs


def test_an_input_that_was_found_can_be_played_again(tmp_path):
    found = tmp_path / "crash"
    found.write_bytes(b"Content-Type: multipart/report\r\n\r\n\0\xff")
    assert fuzz("--target", "returned", str(found)).returncode == 0


@pytest.mark.parametrize(
    ("status", "said"),
    [(1, "Done 5 runs in 2 second"), (-9, "Done 5 runs in 2 second"), (0, "it stopped")],
)
def test_no_end_but_a_good_one_counts(status, said):
    from tests.fuzz.__main__ import summary

    assert summary(status, said, is_replay=False) is None


def test_what_is_found_is_named(tmp_path):
    done = fuzz("--target", "returned", str(tmp_path / "is not there"))
    assert done.returncode == 1 and "returned: found something, see" in done.stdout
