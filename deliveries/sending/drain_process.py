"""Runs a drain on an event loop of its own, and ends it by a signal."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
from contextlib import suppress

import uvloop

from deliveries.capacity import open_files
from deliveries.sending.drain import RUN, Drain
from deliveries.sending.drain_resources import sockets_at_most
from domains.foundation.process import systemd

logger = logging.getLogger(__name__)


def run_drain(seconds: float = RUN) -> bool:
    """Run a drain on a loop of its own; true if a signal ended it (the caller's handlers are in
    place again).
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stopped = False

    async def main() -> None:
        nonlocal stopped
        drain = Drain()

        def stop() -> None:
            nonlocal stopped
            stopped = True
            systemd.stopping("Finishing the messages in hand")
            drain.stop()

        for number in before:
            asyncio.get_running_loop().add_signal_handler(number, stop)
        await drain.run(seconds)

    _allow_sockets()
    try:
        uvloop.run(main())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return stopped


def _allow_sockets() -> None:
    """Raise the limit of open files to what our connections need, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sockets_at_most() + open_files.RESERVED
    if soft < wanted:
        # A confined service may be refused it, and then has what its unit says.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    if (part := open_files.share(sockets_at_most())) < 1:
        logger.warning(
            "event=few-descriptors limit=%d: %d %% of the connections and look-ups are open at "
            "once; raise the limit of open files (LimitNOFILE=, ulimit -n) to %d",
            resource.getrlimit(resource.RLIMIT_NOFILE)[0], part * 100, wanted,
        )  # fmt: skip
