"""Run the scheduler."""

import time
from typing import Any

from redis.exceptions import RedisError

from deliveries.jobs import schedule
from domains.foundation.command import EkidenCommand
from domains.foundation.process import systemd
from domains.operations import starting

AGAIN = 2.0  # seconds until Valkey is asked again after it was out of reach
PATIENCE = 60.0  # seconds that systemd allows the start from each try on


class Command(EkidenCommand):
    help = (
        "Run the scheduler: it rings for drains, the sweep of deadlines, reports, retention and "
        "domain checks."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        starting.admit()
        while True:
            try:
                return schedule.run()
            except RedisError as error:
                systemd.say_error(f"ekiden: Valkey is out of reach: {error}; trying again")
                systemd.waiting("Waiting for Valkey", seconds=PATIENCE)
                time.sleep(AGAIN)
