"""The health answer: whether the database and Valkey can be reached, and nothing more to strangers."""

from __future__ import annotations

import logging

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from redis.exceptions import RedisError

from deliveries import queues
from relay_portal.readiness import PATIENCE

logger = logging.getLogger(__name__)


@never_cache
def health(request: HttpRequest) -> HttpResponse:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        with queues.connect(patience=PATIENCE) as valkey:
            valkey.ping()
    except (DatabaseError, RedisError) as error:
        logger.warning("event=unhealthy error=%s", error)
        return HttpResponse("unavailable\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")
