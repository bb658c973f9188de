"""The health answer: whether the database and Valkey can be reached, and nothing more to
strangers.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from redis.exceptions import RedisError

from deliveries.backends import job_queues
from domains.foundation import sql

logger = logging.getLogger(__name__)

PATIENCE = 2  # seconds for database and Valkey together; who asks has little more


class Look:
    """One look for all who ask at the same time: a database that hangs holds one thread, however
    many ask.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="look")
        self._lock = Lock()
        self._under_way: Future[None] | None = None

    def take(self) -> None:
        """Raise what is wrong."""
        with self._lock:
            if self._under_way is None or self._under_way.done():
                self._under_way = self._thread.submit(self._look)
            look = self._under_way
        look.result(timeout=PATIENCE)

    def _look(self) -> None:
        try:
            sql.run("SELECT 1")
            with job_queues.connect(patience=PATIENCE) as valkey:
                valkey.ping()
        finally:
            connection.close()  # a look that hung must not leave a broken one to the next


_look = Look()


@never_cache
def health(request: HttpRequest) -> HttpResponse:
    try:
        _look.take()
    except (DatabaseError, RedisError, OSError) as error:
        logger.warning("event=unhealthy error=%s", str(error) or "no answer")
        return HttpResponse("unavailable\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")
