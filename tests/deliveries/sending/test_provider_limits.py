"""All lanes of a provider, from every source and in every drain, share one limit."""

import asyncio

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError

from deliveries.models import Delivery, ProviderLimit
from deliveries.sending.drain import Drain
from deliveries.shaping import provider_limits
from domains.operations import audit
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make
from tests.deliveries.sending.test_sources import by_source, many, source
from tests.deliveries.stage import drain_until, in_thread, play, scene
from tests.fakes.mx_actions import Wait

pytestmark = pytest.mark.usefixtures("mail_db")
EAST, WEST = "127.0.0.2", "127.0.0.3"


@pytest.fixture
def two_lanes():
    """Add two sources, which lead to the receiver by a lane each."""
    make.rule(connections=20)
    source("east", EAST)
    source("west", WEST)


def limit(**given):
    return provider_limits.save(ProviderLimit(name="all", receivers=["default"], **given))


def slowly(mx):
    mx.on("BODY", [Wait(0.05), "250 2.0.0 taken"])


def test_two_lanes_have_no_more_connections_than_the_provider_takes_from_us(settings, two_lanes):
    limit(connections=2)
    many(60)
    mx = play(settings, slowly, seconds=60)
    assert set(by_source()) == {EAST, WEST}
    assert mx.peak <= 2
    assert provider_limits.in_use(ProviderLimit.objects.get()) == 0  # the books are empty again


def test_lanes_of_two_drains_take_turns_at_a_single_connection(settings, two_lanes):
    limit(connections=1)
    many(20)

    async def main():
        async with scene(settings) as (mx, _):
            other = Drain()
            running = asyncio.create_task(other.run(120))
            await drain_until(lambda: not Delivery.objects.live().exists(), 90)
            other.stop()
            await running
            return mx

    assert asyncio.run(main()).peak == 1
    assert sum(by_source().values()) == 20


def test_all_lanes_together_send_no_more_messages_than_the_limit(settings, two_lanes):
    limit(messages=1, period="day")
    many(10)

    def all_is_claimed():
        ended = Delivery.objects.ended().count()
        return ended == 1 and not Delivery.objects.live().filter(lane__home=None).exists()

    play(settings, until=all_is_claimed, seconds=30)
    assert Delivery.objects.ended().count() == 1


def test_a_limit_that_a_person_raises_is_followed_while_mail_waits(settings, two_lanes):
    limit(messages=1, period="day")
    many(10)

    async def main():
        async with scene(settings):
            drain = Drain()
            running = asyncio.create_task(drain.run(120))
            await until(lambda: Delivery.objects.ended().count() == 1)
            await asyncio.to_thread(
                in_thread, lambda: ekiden("limit", "set", "all", "default", "--connections", "3")
            )
            await until(lambda: not Delivery.objects.live().exists())
            drain.stop()
            await running

    asyncio.run(main())


async def until(is_done):
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(in_thread, is_done):
            await asyncio.sleep(0.05)


def test_a_receiver_without_a_limit_is_not_asked_about(settings, two_lanes):
    make.rule("other", domains=["elsewhere.test"])
    provider_limits.save(ProviderLimit(name="else", receivers=["other"], connections=1))
    many(5)
    play(settings)
    assert ProviderLimit.objects.get().version == 0


def test_a_person_sets_a_limit_lists_it_and_takes_it_back():
    make.rule("docomo")
    make.rule("au")
    said = ekiden("limit", "set", "carriers", "docomo", "au", "--connections", "4",
                  "--messages", "600")  # fmt: skip
    assert said.strip() == "carriers: 4 connections at once, 600 messages a minute, of au, docomo."
    [row] = ekiden_json("limit", "list")
    assert row == {"name": "carriers", "receivers": ["au", "docomo"], "connections": 4,
                   "in_use": 0, "messages": 600, "per": "minute"}  # fmt: skip
    assert "carriers  au docomo  4" in ekiden("limit", "list")
    assert audit.of(ProviderLimit.objects.get()).first().action == "change"
    ekiden("limit", "remove", "carriers")
    assert not ProviderLimit.objects.exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("a", "nobody", "--connections", "4"), "No receiver has a shaping rule"),
        (("a", "docomo"), "Give a number of connections, of messages, or both"),
        (("a", "docomo", "--messages", "0"), "A limit is one or more|Give a number"),
        (("other", "docomo", "--messages", "5"), "docomo already belongs to the limit first"),
    ],
)
def test_a_limit_that_cannot_hold_is_refused_with_a_sentence(words, sentence):
    make.rule("docomo")
    if words[0] == "other":
        ekiden("limit", "set", "first", "docomo", "--connections", "1")
    with pytest.raises((ValidationError, CommandError), match=sentence):
        ekiden("limit", "set", *words)
    assert not ProviderLimit.objects.exclude(name="first").exists()
