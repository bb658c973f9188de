"""How long an import of suppressions takes: `python -m bench.imports 1000000`, on a PostgreSQL of
its own.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time

from bench.lookups import with_database


def main(lines: int) -> None:
    with_database(lambda: _measure(lines))


def _measure(lines: int) -> None:
    from django.utils import timezone  # Django has to be set up before

    from suppressions.exchange.exporting import rows
    from suppressions.exchange.importing import take
    from suppressions.models import Suppression

    with tempfile.TemporaryFile(dir="/var/tmp") as file:
        file.write(b"EmailAddress,SuppressionReason,Origin,CreatedAt\r\n")
        file.writelines(
            b"gone%d@d%d.test,HardBounce,Recipient,2026-03-%02dT10:00:00Z\r\n"
            % (n, n % 1000, n % 28 + 1)
            for n in range(lines)
        )
        for title in ("new", "known"):
            file.seek(0)
            started, spent = time.monotonic(), time.process_time()
            with open(os.dup(file.fileno()), "rb") as again:
                done = take(again, project=None, by="bench", now=timezone.now())
            seconds, cpu = time.monotonic() - started, time.process_time() - spent
            _say(
                f"{done.lines:,} lines, {title}: {seconds:.1f} s ({cpu:.1f} s of our CPU), "
                f"{done.added:,} new, {done.updated:,} known"
            )
    started = time.monotonic()
    size = sum(len(line) for line in rows(Suppression.objects.all()))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _say(
        f"export: {time.monotonic() - started:.1f} s, {size / 1e6:.0f} MB; at most {memory:.0f} "
        "MiB in this process"
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
