"""How much of its limits a credential has used up, for people; it counts nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from smtp_listener.admission.limits import SESSION_KEEP, day_key, minute_key, sessions_key

PATIENCE = 1.0  # seconds for Valkey


@dataclass(frozen=True, slots=True)
class UsedLimits:
    """Messages of this minute and day, as far as a limit has them counted; open sessions."""

    per_minute: int
    per_day: int
    max_sessions: int


def used_limits(credential: int, *, now: datetime) -> UsedLimits | None:
    """Read a credential's counters; None while Valkey is out of reach."""
    try:
        with Redis.from_url(
            settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
        ) as valkey:
            pipe = valkey.pipeline()
            pipe.mget(minute_key(credential), day_key(credential))
            pipe.zcount(sessions_key(credential), now.timestamp() - SESSION_KEEP, "+inf")
            (minute, day), sessions = pipe.execute()
    except (RedisError, OSError):
        return None
    return UsedLimits(int(minute or 0), int(day or 0), int(sessions))
