import pytest


@pytest.fixture
def valkey():
    """A client of this worker's own, empty Valkey database."""
    from django.conf import settings
    from redis import Redis

    client = Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture
def mail_db(transactional_db, valkey):
    """A database that other connections see too, with the rows that migrations made."""
    from deliveries.models import Lane

    Lane.objects.get_or_create(id=Lane.ROUTING, defaults={"site": "(routing)"})
    Lane.objects.get_or_create(id=Lane.PARKED, defaults={"site": "(held)"})
