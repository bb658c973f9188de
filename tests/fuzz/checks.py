"""What must hold whatever strangers send: no exception that an edge has caught, no line and no
field of theirs in the log.
"""

from __future__ import annotations

import json
import logging
import re

from domains.foundation.process.logformat import JSONFormatter, LineFormatter, message_of, words
from domains.foundation.text import texts

# What a search such as `grep ' event=delivered'` takes for a field.
_FIELD = re.compile(r"(?:^|\s)([A-Za-z_][A-Za-z0-9_.-]*)=")


class Log(logging.Handler):
    """Stands in place of all handlers, behind the same filters."""

    def __init__(self, *harmless: str) -> None:
        """Watch the log; `harmless` are loggers whose errors are no trouble of ours."""
        super().__init__()
        self._harmless = harmless
        self._line, self._object = LineFormatter(), JSONFormatter()
        self.records: list[logging.LogRecord] = []

    def install(self) -> Log:
        root = logging.getLogger()
        self.filters = [each for handler in root.handlers for each in handler.filters]
        root.handlers[:] = [self]
        root.setLevel(logging.INFO)
        for name in list(logging.root.manager.loggerDict):
            logger = logging.getLogger(name)
            logger.handlers[:] = []
            logger.propagate = True
        return self

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def check(self) -> None:
        """Judge what was logged since the last time."""
        records, self.records = self.records, []
        for record in records:
            if record.name not in self._harmless:
                assert not record.exc_info, f"an edge caught it: {self._line.format(record)}"
                assert record.levelno < logging.ERROR or _is_answer(record), (
                    f"an error: {message_of(record)}"
                )
            check_line(record)
            assert not texts.has_control(self._object.format(record)), (
                "the JSON line has a control character"
            )
            json.loads(self._object.format(record))


def _is_answer(record: logging.LogRecord) -> bool:
    """Tell whether Django tells of a request that was refused, or of 503, which a busy machine may
    answer.
    """
    code = getattr(record, "status_code", 0)
    return 400 <= code < 500 or code == 503


def check_line(record: logging.LogRecord) -> None:
    """Check that it is one line, with the fields of its template and no other."""
    line = message_of(record)
    assert not texts.has_control(line), f"a control character in the log: {line!r}"
    if record.args and "=" in str(record.msg):
        wanted = [key for key, _, _ in words(str(record.msg)) if key]
        assert _FIELD.findall(line) == wanted, f"a forged field: {line}"
