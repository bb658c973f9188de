"""Domains without hope, and hosts that nobody reaches: many of them take few statements, so that
the lanes that have somewhere to send to wait for none of theirs.
"""

import pytest

from deliveries.backends.database import Database
from deliveries.models import Attempt, Delivery, Lane
from deliveries.queue.give_backs import UNCLAIM
from deliveries.queue.lane_statements import CLAIMS
from tests.deliveries import make
from tests.deliveries.stage import play

pytestmark = pytest.mark.usefixtures("mail_db")

MANY = 60


@pytest.fixture
def asked(monkeypatch):
    """Return the statements that are asked, with their values."""
    fetch, seen = Database.fetch, []

    async def noted(self, sql, parameters=None, **given):
        seen.append((sql, parameters))
        return await fetch(self, sql, parameters, **given)

    monkeypatch.setattr(Database, "fetch", noted)
    return seen


def for_domains(name):
    sent = make.message()
    for number in range(MANY):
        for recipient in ("one", "two"):
            make.delivery(f"{recipient}@{name}{number}.test", of=sent)


def test_the_mail_of_domains_that_do_not_exist_is_claimed_together(settings, asked):
    for_domains("dead")
    play(settings, until=lambda: Attempt.objects.count() == 2 * MANY, zones={"mx.test": {}})
    claims = [given for sql, given in asked if sql in CLAIMS.values() and given["domains"][0]]
    assert len(claims) <= MANY // 2
    named = [domain for given in claims for domain in given["domains"][0].split()]
    assert {f"dead{number}.test" for number in range(MANY)} == set(named)
    assert not Delivery.objects.filter(claim__gt=0).exists()


def test_lanes_that_nobody_reaches_give_their_mail_back_together(settings, asked):
    for_domains("pit")
    zones: dict[str, dict[str, list]] = {
        f"pit{number}.test": {"MX": [(10, f"in{number}.test")]} for number in range(MANY)
    }
    zones |= {f"in{number}.test": {"A": ["127.0.0.9"]} for number in range(MANY)}  # nobody is there

    def is_over():
        paused = Lane.objects.filter(failures__gt=0, holder=None)
        return paused.count() == MANY

    play(settings, until=is_over, zones=zones, seconds=30)
    given_back = [given for sql, given in asked if sql == UNCLAIM]
    assert 0 < len(given_back) < MANY
    assert not Delivery.objects.filter(claim__gt=0).exists()
