"""A name that our resolvers deny: what the servers of the zone above it say, asked directly."""

from contextlib import AsyncExitStack

import pytest

from domains.foundation.dns.parents import Parents
from domains.foundation.dns.resolver import Resolver
from tests.fakes.dns import Behaviour, FakeDns

ZONES = {"shop.test": {}, "test": {"NS": ["ns.test."]}, "ns.test": {"A": ["127.0.0.1"]}}
DENIED = {"gone.shop.test": Behaviour.NXDOMAIN}


async def opinion(
    above,
    *,
    name="gone.test",
    zones=ZONES,
    behaviours=None,
    may_ask=lambda address: True,
    seconds=60.0,
):
    """Return what is said by `above`, which stands for all servers that have zones themselves."""
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(FakeDns(zones, behaviours))
        theirs = await stack.enter_async_context(above)
        given = {"port": theirs.address[1], "try_timeout": seconds, "total_timeout": seconds}
        return await Parents(Resolver([ours.address], try_timeout=60.0), may_ask, **given).know(
            name
        ), theirs


def server(zones=None, behaviours=None):
    return FakeDns(zones or {"test": {}}, behaviours, is_resolver=False)


async def test_what_the_zone_above_denies_is_not_there():
    known, above = await opinion(server())
    assert known is False and above.queries == {("gone.test", "MX"): 1}


async def test_what_the_zone_above_has_is_there():
    assert (await opinion(server({"gone.test": {"MX": [(10, "mx.test")]}})))[0] is True


async def test_what_the_zone_above_delegates_is_there_though_its_own_servers_say_nothing():
    known, _ = await opinion(server({}, {"gone.test": Behaviour.REFERRAL}))
    assert known is True


async def test_a_name_without_mail_is_there():
    assert (await opinion(server({"gone.test": {"TXT": ["x"]}})))[0] is True


async def test_the_closest_zone_that_is_known_is_asked():
    zones = ZONES | {"shop.test": {"NS": ["ns.shop.test."]}, "ns.shop.test": {"A": ["127.0.0.1"]}}
    known, above = await opinion(server(), name="gone.shop.test", zones=zones, behaviours=DENIED)
    assert known is False and list(above.queries) == [("gone.shop.test", "MX")]


async def test_a_resolver_that_answers_in_everybodys_name_proves_nothing():
    assert (await opinion(FakeDns({"test": {}})))[0] is None


@pytest.mark.parametrize("trouble", [Behaviour.SERVFAIL, Behaviour.REFUSED])
async def test_a_server_that_says_nothing_to_the_point_proves_nothing(trouble):
    assert (await opinion(server({}, {"gone.test": trouble})))[0] is None


@pytest.mark.parametrize("trouble", [Behaviour.SILENT, Behaviour.GARBAGE])
async def test_a_server_without_an_answer_is_waited_for_no_longer_than_a_try(trouble):
    """What is no message could be anybody's, so the wait goes on."""
    known, above = await opinion(server({}, {"gone.test": trouble}), seconds=1.0)
    assert known is None and above.queries == {("gone.test", "MX"): 1}


async def test_a_server_at_an_address_inside_is_not_asked():
    known, above = await opinion(server(), may_ask=lambda address: not address.is_loopback)
    assert known is None and not above.queries


async def test_nobody_is_asked_where_no_zone_above_is_known():
    known, above = await opinion(server(), zones={"else": {}})
    assert known is None and not above.queries


async def test_a_question_to_them_asks_for_no_recursion():
    asked = []

    class Recording(FakeDns):
        def replies(self, wire, *, over_tcp):
            asked.append(wire[2] & 1)
            return super().replies(wire, over_tcp=over_tcp)

    await opinion(Recording({"test": {}}, is_resolver=False))
    assert asked == [0]


async def test_what_is_no_name_is_asked_of_nobody():
    known, above = await opinion(server(), name=f"{'x' * 64}.test")
    assert known is None and not above.queries
