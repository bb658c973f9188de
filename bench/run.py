"""One run: the service between a generator and a sink, and what else was asked for, in the order
that keeps each figure clean.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench import peer, report
from bench.bringing_up import running_service
from bench.flood import Flood
from bench.stage import ENDLESS, Options
from relay_portal.servers import embedded


def run(options: Options, say: Callable[[str], object]) -> report.BenchFigures:
    """Measure as the options say, ours and the peer beside it; raises `BenchError`."""
    with _folder() as folder:
        say("Bringing the service up")
        found = _ours(folder, options, say)
        if not options.peer:
            return found
        say(f"The same with {peer.TITLE}")
        return replace(found, peer=peer.measure(folder, options, say))


def _ours(folder: Path, options: Options, say: Callable[[str], object]) -> report.BenchFigures:
    amount = (
        f"for {options.seconds:g} seconds" if options.seconds else f"{options.messages:,} messages"
    )
    load = f"Submitting {amount} of {options.size:,} bytes over {options.sessions} sessions"
    with running_service(folder, options) as service:
        service.prepare()
        say(load)
        found = service.measure()
        if options.backlog or options.waiting:
            say(
                f"Filling the database: {options.backlog:,} that have ended, {options.waiting:,} "
                "that wait in one lane"
            )
            service.fill()
            say(load)
            found = replace(service.measure(first=ENDLESS), empty=found)
        if options.is_idle:
            say("Waiting until nothing is held open")
            found = replace(found, first=service.first_after_idleness(2 * ENDLESS))
    return found


def flood(options: Options, say: Callable[[str], object]) -> Flood:
    """Measure urgent mail alone and beside a flood; raises `BenchError`."""
    with _folder() as folder:
        say("Bringing the service up")
        with running_service(folder, options) as service:
            service.prepare()
            say(f"Urgent mail, alone and then beside a flood over {options.sessions} sessions")
            return service.flood()


@contextmanager
def _folder() -> Iterator[Path]:
    # Not in /tmp, which is memory on some systems: a commit has to reach a disk.
    folder = Path(tempfile.mkdtemp(prefix="ekiden-bench-", dir="/var/tmp"))
    folder.chmod(0o711)
    data = folder / "data"
    try:
        yield folder
    finally:
        for place in (embedded.state_folder(data), embedded.runtime_folder(data), folder):
            shutil.rmtree(place, ignore_errors=True)
