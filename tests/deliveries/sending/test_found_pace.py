"""A receiver that answers 421 above 30 messages a second, for minutes: its pace is found, held,
and doubled when it may be.
"""

import asyncio
import threading
import time
from collections import deque

import pytest

from deliveries.models import Delivery
from tests.deliveries import make
from tests.deliveries.stage import drain_until, scene

pytestmark = [pytest.mark.usefixtures("mail_db"), pytest.mark.timeout(600)]

LIMIT = 30
FIND, HOLD, GENEROUS = 60.0, 30.0, 240.0  # seconds; the last at most


class Receiver:
    """Counts over any second that ends now; `limit` may change."""

    def __init__(self):
        self.limit, self.begun = LIMIT, time.monotonic()
        self.taken, self.refused = [], []
        self.lately = deque()
        self.most = 0  # messages in any second
        self._lock = threading.Lock()

    def __call__(self, _):
        with self._lock:
            now = time.monotonic()
            while self.lately and now - self.lately[0] >= 1.0:
                self.lately.popleft()
            if len(self.lately) >= self.limit:
                self.refused.append(now - self.begun)
                return "421 4.7.0 Too many messages, try again later"
            self.lately.append(now)
            self.most = max(self.most, len(self.lately))
            self.taken.append(now - self.begun)
            return None


def between(times, begin, end):
    return sum(begin <= at < end for at in times)


def test_a_limit_of_30_a_second_is_found_held_and_outgrown(settings):
    of = make.message()
    Delivery.objects.bulk_create(
        [
            Delivery(
                message=of,
                project=of.project,
                recipient=f"u{n}@mx.test",
                recipient_key=f"u{n}@mx.test",
                domain="mx.test",
                expires_at=make.later(),
            )
            for n in range(20_000)
        ]
    )

    async def main():
        async with scene(settings) as (mx, _):
            receiver = Receiver()
            mx.on("MAIL", receiver)

            def is_over():
                passed = time.monotonic() - receiver.begun
                if passed >= FIND + HOLD:
                    receiver.limit = 10_000
                return receiver.most >= 2 * LIMIT or passed >= FIND + HOLD + GENEROUS

            await drain_until(is_over, FIND + HOLD + GENEROUS + 30)
            return receiver

    receiver = asyncio.run(main())
    end = FIND + HOLD
    held, refused = between(receiver.taken, FIND, end), between(receiver.refused, FIND, end)
    after = max(receiver.taken) - end
    print(
        f"held {held / HOLD:.1f}/s, {refused} of {held + refused} refused; {after:.0f} s after it "
        f"became generous {receiver.most}/s"
    )
    assert held >= 0.6 * LIMIT * HOLD  # 0.95 on a quiet machine
    assert refused <= 0.02 * (held + refused)
    assert receiver.most >= 2 * LIMIT
