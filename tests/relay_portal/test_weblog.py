"""What the portal's log says of requests that are refused."""

import logging
from logging.config import dictConfig

from django.conf import settings
from django.test import Client

from domains.logformat import message_of

LOGGER = "django.security.DisallowedHost"


def test_a_wrong_host_is_one_line_however_often_logging_was_set_up(caplog):
    logger = logging.getLogger(LOGGER)
    kept = logger.filters[:]
    try:
        dictConfig({"version": 1, "incremental": False, "disable_existing_loggers": False,
                    "filters": settings.LOGGING["filters"], "loggers": {LOGGER: settings.LOGGING["loggers"][LOGGER]}})  # fmt: skip
        assert len(logger.filters) > 1
        assert Client(headers={"host": "evil.test"}).get("/health/").status_code == 400
    finally:
        logger.filters[:] = kept
    [record] = [record for record in caplog.records if record.name == LOGGER]
    assert message_of(record).startswith("event=wrong-host text=\"Invalid HTTP_HOST header: 'evil.test'.")
    assert record.exc_info is None
