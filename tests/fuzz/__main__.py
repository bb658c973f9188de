"""Feeds what strangers reach with what a coverage-guided fuzzer thinks of: `.venv/bin/python -m
tests.fuzz --seconds 3600`.

Ends with status 0 where nothing raised, took too long, grew or broke what must hold; else the input
lies in the folder that it names.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import atheris

from tests.fuzz.targets import TARGETS, Ready, Target

# Seconds of CPU for an input, with coverage counted, on a slow machine. A pattern that backtracks
# takes far longer.
SLOWEST = 5.0
SECRET_KEY = "of the fuzzer: " + 48 * "x"
_DONE = re.compile(r"Done (\d+) runs in (\d+) second")
_PEAK = re.compile(r"stat::peak_rss_mb:\s+(\d+)")


def main() -> None:
    asked = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__.splitlines()[0]
    )
    asked.add_argument(
        "--target",
        action="append",
        choices=TARGETS,
        help="one of them, may be repeated; else all, one after the other",
    )
    asked.add_argument("--seconds", type=int, default=60, help="of all targets together")
    asked.add_argument(
        "--jobs",
        type=int,
        default=1,
        help="targets at the same time; each still has its share of the seconds",
    )
    asked.add_argument("--seed", type=int, default=0, help="0: another one each time")
    asked.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked.add_argument(
        "inputs",
        nargs="*",
        help="only these files, one after the other, as they were found; --target says for what",
    )
    given = asked.parse_args()
    names = given.target or list(TARGETS)
    if given.folder:
        fuzz(
            TARGETS[names[0]],
            given.folder,
            seconds=given.seconds,
            seed=given.seed,
            inputs=given.inputs,
        )
    else:
        sys.exit(_run(names, given))


# --- the process that starts one for each target --------------------------------------------------
def _run(names: Sequence[str], given: argparse.Namespace) -> int:
    """Run the fuzzer, which leaves without a word to Python: its parent cleans up."""
    if given.inputs and len(names) > 1:
        sys.exit("Say with --target what reads these files")
    folder = Path(tempfile.mkdtemp(prefix="ekiden-fuzz-"))
    folder.chmod(0o755)  # PostgreSQL's own account goes through it
    with _installation(folder, needs_servers=any(TARGETS[name].needs_servers for name in names)):
        seconds = max(given.seconds // len(names), 1)
        with ThreadPoolExecutor(given.jobs) as jobs:
            is_well = all(
                list(jobs.map(lambda name: _is_well(name, folder, given, seconds=seconds), names))
            )
    if is_well:
        shutil.rmtree(folder)
    return 0 if is_well else 1


def _is_well(name: str, folder: Path, given: argparse.Namespace, *, seconds: int) -> bool:
    """Run one target to its end, and tell how it went."""
    own = folder / name
    own.mkdir()
    again = [
        "--target",
        name,
        "--seconds",
        str(seconds),
        "--seed",
        str(given.seed),
        "--folder",
        str(own),
        *given.inputs,
    ]
    log = own / "log"
    with log.open("wb") as written:
        status = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", *again],
            check=False,
            stdout=written,
            stderr=written,
        ).returncode
    said = log.read_text("utf-8", "replace")
    result = summary(status, said, is_replay=bool(given.inputs))
    if result is None:
        sys.stderr.write(f"{said[-6000:]}\n")
    sys.stdout.write(f"{name}: {f'found something, see {own}' if result is None else result}\n")
    sys.stdout.flush()
    return result is not None


def summary(status: int, said: str, *, is_replay: bool) -> str | None:
    """Return what was done, in words; None where it did not end well, by an exit, by a signal (a
    negative status), or too early.
    """
    done, peak = _DONE.search(said), _PEAK.search(said)
    if status or (done is None and not is_replay):
        return None
    return (
        f"{done[1]} inputs in {done[2]} s, at most {peak[1] if peak else '?'} MiB"
        if done is not None
        else "played"
    )


@contextmanager
def _installation(folder: Path, *, needs_servers: bool) -> Iterator[None]:
    """Prepare what Django's settings need; where no database is given, and one is needed, an own
    one with all tables.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = "relay_portal.settings"
    os.environ["EKIDEN_DATA"] = str(folder)
    os.environ.setdefault("EKIDEN_SECRET_KEY", SECRET_KEY)
    os.environ.update(EKIDEN_HOSTNAME="relay.test", EKIDEN_MAY_LOSE_MAIL="yes", EKIDEN_LOW_DISK="0")
    if not needs_servers or "DATABASE_URL" in os.environ:
        yield
        return
    from relay_portal.servers.embedded import EmbeddedPostgres, EmbeddedValkey, runtime_folder

    postgres, valkey = EmbeddedPostgres(folder, durable=False), EmbeddedValkey(folder)
    try:
        for server in (postgres, valkey):
            server.prepare()
            server.start()
        postgres.make_database("ekiden")
        os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = postgres.url, valkey.url
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, check=True, cwd=Path(__file__).resolve().parents[2])
        yield
    finally:
        for server in (valkey, postgres):
            server.stop()
        shutil.rmtree(runtime_folder(folder), ignore_errors=True)


# --- the process of one target --------------------------------------------------------------------
def fuzz(target: Target, folder: Path, *, seconds: int, seed: int, inputs: Sequence[str]) -> None:
    """Fuzz one target; what is found lies in the folder."""
    ready = target.load()
    one = watched(ready, target)
    if inputs:
        for name in inputs:
            one(Path(name).read_bytes())
        return
    begin, words = folder / "seeds", folder / "words"
    begin.mkdir()
    for number, data in enumerate(ready.seeds):
        (begin / f"{number}").write_bytes(data[: target.largest])
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in ready.words))
    options = [
        f"-max_total_time={seconds}", f"-max_len={target.largest}", "-timeout=60",
        "-rss_limit_mb=0", "-print_final_stats=1",
        f"-artifact_prefix={folder}/found-", *([f"-dict={words}"] if ready.words else []),
        *([f"-seed={seed}"] if seed else []),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(begin)], one)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    """Escape a word for a dictionary of libFuzzer."""
    return "".join(f"\\x{octet:02x}" for octet in word)


def watched(ready: Ready, target: Target) -> Callable[[bytes], None]:
    """Return what takes one input, and ends where it is slow or grows."""
    runs = count(1)

    def one(data: bytes) -> None:
        if next(runs) % 500 == 0:
            assert memory_mib() < target.memory, "it grows"
        started = time.process_time()
        ready.one(data)
        assert time.process_time() - started < SLOWEST, "too slow"

    return one


def memory_mib() -> float:
    """Return what the process has now.

    The peak that libFuzzer prints is also that of the process that started it (getrusage(2)).
    """
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1_048_576


if __name__ == "__main__":
    main()
