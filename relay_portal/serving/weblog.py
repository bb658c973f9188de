"""The log of gunicorn, in the same format as every other line (its setting `logger_class`)."""

import logging
import os

from gunicorn.config import Config
from gunicorn.glogging import Logger as GunicornLogger

from domains.foundation.process import logformat, systemd


class Logger(GunicornLogger):  # type: ignore[misc]  # gunicorn has no types
    """As gunicorn's; the arbiter has not read the settings, so the environment says the format."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        formatter = logformat.FORMATS.get(
            os.environ.get("EKIDEN_LOG_FORMAT", ""), logformat.LineFormatter
        )()
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(
                systemd.JournalFormatter(formatter)
                if systemd.is_journal(handler.stream)
                else formatter
            )


class RefusedRequests(logging.Filter):
    """Makes one line of what Django tells with a traceback of a request that it refuses: strangers
    write them, as often as they like.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and 400 <= getattr(record, "status_code", 0) < 500:
            event = (
                "wrong-host" if record.name == "django.security.DisallowedHost" else "bad-request"
            )
            record.msg, record.args = f"event={event} text=%s", (record.getMessage(),)
            record.exc_info = record.exc_text = None
        return True
