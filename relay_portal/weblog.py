"""The log of gunicorn, in the same format as every other line (its setting `logger_class`)."""

import logging
import os

from gunicorn.config import Config
from gunicorn.glogging import Logger as GunicornLogger

from domains import logformat, systemd


class Logger(GunicornLogger):  # type: ignore[misc]  # gunicorn has no types
    """As gunicorn's; the arbiter has not read the settings, so the environment says the format."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        formatter = logformat.FORMATS.get(os.environ.get("EKIDEN_LOG_FORMAT", ""), logformat.LineFormatter)()
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(systemd.JournalFormatter(formatter) if systemd.is_journal(handler.stream) else formatter)


class WrongHost(logging.Filter):
    """Makes one line of what Django tells with a traceback: strangers ask for any name, as often as they like.

    Logging is set up twice in a worker of gunicorn, by the arbiter that it was forked from and by itself, so this is asked twice.
    """

    TEMPLATE = "event=wrong-host text=%s"

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg == self.TEMPLATE:
            return True
        record.msg, record.args = self.TEMPLATE, (record.getMessage(),)
        record.exc_info = record.exc_text = None
        return True
