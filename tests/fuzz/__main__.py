"""Feeds the parsers of returned mail with what a coverage-guided fuzzer thinks of: `.venv/bin/python -m tests.fuzz --seconds 1800`.

Ends with status 0 where nothing raised, took too long, or grew; else the input lies in the folder that it names.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["deliveries.bounces"]):
    from deliveries.bounces import feedback_id, original, report, return_path, tokens
    from deliveries.bounces.classifier import Answer, classify, parse
    from deliveries.bounces.local_rules import LocalRule, LocalRules

from datetime import UTC, datetime

from suppressions.classes import Class
from tests.deliveries.bounces.test_hostile_reports import SEEDS, is_harmless

KEY, NOW = b"k" * 32, datetime(2026, 11, 25, tzinfo=UTC)
LARGEST = 65_536  # octets of an input; larger ones are tests of their own (tests/fuzz/test_large.py)
# Seconds of CPU for an input of that size, with coverage counted, on a slow machine. A pattern that backtracks takes far longer.
SLOWEST = 5.0
MEMORY_MOST = 400  # MiB; it begins with 65
CORPUS = Path(os.environ.get("EKIDEN_CORPUS", Path(__file__).resolve().parents[2].parent / "shared" / "corpus"))
RULES = LocalRules([LocalRule("fuzz", Class.POLICY, "user * unknown * here|no such mailbox")])


runs = count(1)


def one(data: bytes) -> None:
    """All that strangers' bytes go through, by what must hold for any."""
    if next(runs) % 500 == 0:
        assert memory_mib() < MEMORY_MOST, "it grows"
    started = time.process_time()
    assert is_harmless(report.read(data))
    about = original.read(data)
    assert max(map(len, (about.return_paths, about.feedback_ids, about.message_ids))) <= original.MOST
    text = data.decode("utf-8", "replace")
    code, enhanced, rest = parse(text)
    found = classify(Answer(rest, code, enhanced))
    assert found.class_ in Class
    RULES.find(text.lower(), provider="", stage=None, code=code)
    for forged in (text[:200], f"b-{text[:200]}"):
        _refuses(forged)
    assert time.process_time() - started < SLOWEST, "too slow"


def memory_mib() -> float:
    """Now. The peak that libFuzzer prints is also that of the process that started it (getrusage(2))."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1_048_576


def _refuses(text: str) -> None:
    """Nobody guesses a token of ours."""
    for read in (lambda: feedback_id.parse(text, key=KEY, now=NOW), lambda: return_path.parse(text, key=KEY, now=NOW)):
        try:
            read()
        except (tokens.ForgedToken, return_path.ForgedReturnPath):
            continue
        raise AssertionError("a forged token was taken")


def main() -> None:
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    asked.add_argument("--seconds", type=int, default=60)
    asked.add_argument("--seed", type=int, default=0, help="0: another one each time")
    asked.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked.add_argument("inputs", nargs="*", help="only these files, one after the other, as they were found")
    given = asked.parse_args()
    if given.inputs:
        for name in given.inputs:
            one(Path(name).read_bytes())
    elif given.folder:
        fuzz(given.folder, seconds=given.seconds, seed=given.seed)
    else:
        sys.exit(_in_folder(given))


def _in_folder(given: argparse.Namespace) -> int:
    """The fuzzer leaves without a word to Python: who cleans up is its parent."""
    folder = Path(tempfile.mkdtemp(prefix="ekiden-fuzz-"))
    seeds = [*SEEDS, *(path.read_bytes() for path in sorted(CORPUS.glob("bounces/**/*.eml"))[::20])]
    (folder / "seeds").mkdir()
    for number, data in enumerate(seeds):
        (folder / "seeds" / f"{number}").write_bytes(data[:LARGEST])
    sys.stdout.write(f"{len(seeds)} seeds{'' if CORPUS.exists() else ' (without the shared corpus, which is not here)'}\n")
    sys.stdout.flush()
    again = [sys.executable, "-m", "tests.fuzz", "--seconds", str(given.seconds), "--seed", str(given.seed), "--folder", str(folder)]
    status = subprocess.run(again, check=False).returncode
    if status == 0:
        shutil.rmtree(folder)
    return status


def fuzz(folder: Path, *, seconds: int, seed: int) -> None:
    """What it finds lies in the folder."""
    options = [
        f"-max_total_time={seconds}", f"-max_len={LARGEST}", "-timeout=30", f"-artifact_prefix={folder}/found-", "-print_final_stats=1",
        *([f"-seed={seed}"] if seed else []),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(folder / "seeds")], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
