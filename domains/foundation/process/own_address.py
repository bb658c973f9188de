"""Where this machine reaches its own ports."""

from django.conf import settings

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (compared, not bound)


def own_address() -> str:
    """Return the address at which this machine reaches its own ports: the loopback one where it
    listens on all.
    """
    bind: str = settings.EKIDEN_BIND
    return LOOPBACK.get(bind, bind)
