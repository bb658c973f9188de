"""The log of gunicorn, in the same format as every other line (its setting `logger_class`)."""

import os

from gunicorn.config import Config
from gunicorn.glogging import Logger as GunicornLogger

from domains import logformat


class Logger(GunicornLogger):  # type: ignore[misc]  # gunicorn has no types
    """As gunicorn's; the arbiter has not read the settings, so the environment says the format."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        formatter = logformat.FORMATS.get(os.environ.get("EKIDEN_LOG_FORMAT", ""), logformat.LineFormatter)()
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(formatter)
