"""Where this machine reaches its own ports."""

from django.conf import settings

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (compared, not bound)


def own_address() -> str:
    """Who listens on all addresses listens on the loopback one too."""
    bind: str = settings.EKIDEN_BIND
    return LOOPBACK.get(bind, bind)
