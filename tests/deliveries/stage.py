"""A drain with real PostgreSQL and Valkey, from queued rows to a scripted MX found through real
DNS.
"""

import asyncio
from contextlib import asynccontextmanager

from deliveries.models import Delivery
from deliveries.sending.drain import Drain
from tests.fakes.dns import FakeDns
from tests.fakes.mx import FakeMx


@asynccontextmanager
async def scene(settings, zones=None, behaviours=None):
    """Yield a scripted MX and a DNS whose zones lead to it by default."""
    zones = zones or {"mx.test": {"MX": [(10, "in.mx.test")]}, "in.mx.test": {"A": ["127.0.0.1"]}}
    async with FakeMx() as mx, FakeDns(zones, behaviours) as dns:
        settings.EKIDEN_DNS = [dns.url]
        settings.EKIDEN_DELIVERY_PORT = mx.port
        settings.EKIDEN_PRIVATE_NETWORKS = ["127.0.0.0/8"]
        yield mx, dns


async def drain_until(is_done, seconds=10):
    """Run a drain until the database says so."""
    drain = Drain()
    running = asyncio.create_task(drain.run(seconds + 60))
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(in_thread, is_done):
            await asyncio.sleep(0.02)
    drain.stop()
    await running


def in_thread(look):
    from django.db import connection

    try:
        return look()
    finally:
        connection.close()


def play(settings, script=lambda mx: None, *, until=None, zones=None, behaviours=None, seconds=10):
    """Start the far side, let the drain work until nothing is live (or `until`), and return the
    MX.
    """

    async def main():
        async with scene(settings, zones, behaviours) as (mx, _):
            script(mx)
            await drain_until(until or (lambda: not Delivery.objects.live().exists()), seconds)
            return mx

    return asyncio.run(main())
