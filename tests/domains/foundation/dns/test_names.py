"""Names, addresses and name servers as people write them."""

import asyncio

import pytest

from domains.foundation.dns.resolver import (
    NoSuchName,
    Resolver,
)
from domains.foundation.dns.servers import nameservers
from tests.domains.foundation.dns.test_resolver import ZONES, served
from tests.fakes.dns import FakeDns


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a..test",
        "x" * 64 + ".test",
        "a." * 200 + "test",
        "a\\000.test",
        "\ud800.test",
        "a\nb.test",
    ],
)
async def test_what_is_no_name_does_not_exist(name):
    async with served() as (_, resolver, _clock):
        with pytest.raises(NoSuchName):
            await resolver.mx(name)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_address_is_its_own_answer(host):
    async with served() as (fake, resolver, _clock):
        assert list(map(str, await resolver.addresses(host))) == [host]
        assert not fake.queries


async def test_localhost_is_never_asked_for():
    async with served() as (fake, resolver, _clock):
        assert set(map(str, await resolver.addresses("localhost"))) == {"::1", "127.0.0.1"}
        assert not fake.queries


def test_a_host_with_hostile_bytes_stays_printable_and_leads_nowhere():
    with FakeDns({"evil.test": {"MX": [(1, "a\\010b.test")]}}) as fake:
        resolver = Resolver([fake.address])
        [mx] = asyncio.run(resolver.mx("evil.test"))
        assert mx.host.isprintable()
        with pytest.raises(NoSuchName):
            asyncio.run(resolver.addresses(mx.host))


def test_code_without_an_event_loop_can_ask_too():
    with FakeDns(ZONES) as fake:
        resolver = Resolver([fake.address])
        assert (
            len(asyncio.run(resolver.mx("a.test"))) == len(asyncio.run(resolver.mx("a.test"))) == 2
        )
        assert fake.queries["a.test", "MX"] == 1


def test_name_servers_are_written_with_or_without_port():
    assert nameservers(["192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:54",
        "[::1]"]) == [
        ("192.0.2.1", 53), ("192.0.2.1", 5353), ("2001:db8::1", 53), ("2001:db8::1", 54),
        ("::1", 53),
    ]  # fmt: skip
    assert nameservers([]) is None


@pytest.mark.parametrize(
    "text", ["ns.test", "192.0.2.1:0", "192.0.2.1:x", "192.0.2.1:70000", "", "[::1]x"]
)
def test_a_name_server_must_be_an_address(text):
    with pytest.raises(ValueError):
        nameservers([text])
