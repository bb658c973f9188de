"""Log lines that belong together leave in one write: of a group commit there are many at the same
moment.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TextIO

from domains.foundation.process import systemd


def spare_records() -> None:
    """Log records of this process name neither process nor thread, which our lines do not show: a
    system call for each otherwise.
    """
    logging.logProcesses = logging.logThreads = False


class GroupedHandler(logging.StreamHandler[TextIO]):
    """As its parent, but within `together` the lines wait for the end of the block.

    One write and one wake-up of whoever reads the log instead of hundreds: 0.05 ms of CPU a message
    in all processes.
    """

    # Blocks hold no `await`, and only one thread of a process opens them.
    _held: list[str] | None = None

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._is_journal = systemd.is_journal(self.stream)

    def format(self, record: logging.LogRecord) -> str:
        """Format as the parent does; where the journal reads, with the priority before each
        line.
        """
        text = super().format(record)
        return (
            systemd.prefixed(text, systemd.priority(record.levelno)) if self._is_journal else text
        )

    def emit(self, record: logging.LogRecord) -> None:
        if self._held is None:
            super().emit(record)
            return
        try:
            self._held.append(self.format(record) + self.terminator)
        except Exception:  # as the parent: a line that cannot be made must not end what it tells of
            self.handleError(record)

    def hold(self) -> None:
        self._held = []

    def let_go(self) -> None:
        held, self._held = self._held, None
        if held:
            with self.lock or nullcontext():
                self.stream.write("".join(held))
                self.flush()


@contextmanager
def together() -> Iterator[None]:
    """Hold the lines that are logged in the block, and write them at its end, in their order.

    No `await` in the block.
    """
    handlers = [
        handler for handler in logging.getLogger().handlers if isinstance(handler, GroupedHandler)
    ]
    for handler in handlers:
        handler.hold()
    try:
        yield
    finally:
        for handler in handlers:
            handler.let_go()
