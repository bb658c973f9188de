import asyncio
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from domains.foundation.dns.resolver import (
    FAILURE_TTL,
    MAX_MX,
    Mx,
    NoSuchName,
    Resolver,
    TemporaryFailure,
)
from tests.fakes.dns import Behaviour, FakeDns, Zones
from tests.fakes.dns_messages import FORGED

ZONES: Zones = {
    "a.test": {"MX": [(20, "mx2.a.test"), (10, "MX1.a.test")], "TXT": ["v=spf1 -all", "x" * 700]},
    "mx1.a.test": {"A": ["192.0.2.1", "192.0.2.2"], "AAAA": ["2001:db8::1"]},
    "null.test": {"MX": [(0, "")]},
    "empty.test": {},
    "alias.test": {"CNAME": ["a.test"]},
    "dangling.test": {"CNAME": ["nowhere.test"]},
    "loop1.test": {"CNAME": ["loop2.test"]},
    "loop2.test": {"CNAME": ["loop1.test"]},
    "xn--bcher-kva.test": {"MX": [(1, "mx1.a.test")]},
    "four.test": {"A": ["192.0.2.4"]},
}


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@asynccontextmanager
async def served(*, behaviours=None, zones=ZONES, first=(), **options):
    clock = Clock()
    fake_options = {
        key: options.pop(key) for key in ("ttl", "negative_ttl", "authenticated") if key in options
    }
    async with FakeDns(zones, behaviours, **fake_options) as fake:
        # Short only where somebody keeps silent: a busy machine needs longer to answer.
        short = {"try_timeout": 0.3, "total_timeout": 1.0} if behaviours or first else {}
        options = short | options
        yield fake, Resolver([*first, fake.address], clock=clock, **options), clock


async def test_mail_hosts_come_best_first_and_in_lower_case():
    async with served() as (_, resolver, _clock):
        assert (await resolver.mx("a.test")).records == (Mx(10, "mx1.a.test"), Mx(20, "mx2.a.test"))


async def test_the_null_mx_is_the_empty_host():
    async with served() as (_, resolver, _clock):
        assert (await resolver.mx("null.test")).records == (Mx(0, ""),)


async def test_addresses_of_both_families_are_found():
    async with served() as (_, resolver, _clock):
        answer = await resolver.addresses("mx1.a.test")
        assert set(map(str, answer)) == {"2001:db8::1", "192.0.2.1", "192.0.2.2"}


async def test_the_strings_of_a_text_record_are_joined():
    async with served() as (_, resolver, _clock):
        assert set(await resolver.txt("a.test")) == {"v=spf1 -all", "x" * 700}


async def test_a_name_that_does_not_exist_is_told_from_one_without_records():
    async with served() as (_, resolver, _clock):
        assert (await resolver.mx("empty.test")).records == ()
        with pytest.raises(NoSuchName):
            await resolver.mx("nowhere.test")
        with pytest.raises(NoSuchName):
            await resolver.addresses("nowhere.test")


async def test_a_cname_is_followed():
    async with served() as (_, resolver, _clock):
        assert len(await resolver.mx("alias.test")) == 2


async def test_a_cname_to_nowhere_is_no_such_name():
    async with served() as (_, resolver, _clock):
        with pytest.raises(NoSuchName):
            await resolver.mx("dangling.test")


async def test_a_cname_loop_is_temporary():
    async with served() as (_, resolver, _clock):
        with pytest.raises(TemporaryFailure):
            await resolver.mx("loop1.test")


HARMLESS = [Behaviour.TRUNCATED, Behaviour.FORGED_FIRST, Behaviour.NO_EDNS]


@pytest.mark.parametrize(
    "behaviour", [b for b in Behaviour if b not in HARMLESS and b is not Behaviour.NXDOMAIN]
)
async def test_trouble_with_the_server_is_temporary(behaviour):
    async with served(behaviours={"a.test": behaviour}) as (_, resolver, _clock):
        for look_up in (resolver.mx, resolver.txt, resolver.addresses):
            with pytest.raises(TemporaryFailure):
                await look_up("a.test")


@pytest.mark.parametrize("behaviour", HARMLESS)
async def test_what_can_be_overcome_is(behaviour):
    async with served(behaviours={"mx1.a.test": behaviour}) as (_, resolver, _clock):
        answer = await resolver.addresses("mx1.a.test")
        assert len(answer) == 3
        assert ip_address(FORGED) not in answer.records


async def test_a_truncated_answer_is_fetched_over_tcp():
    zones = {"big.test": {"MX": [(n, f"{'m' * 50}{n}.big.test") for n in range(100)]}}
    async with served(zones=zones) as (fake, resolver, _clock):
        answer = await resolver.mx("big.test")
        assert [mx.preference for mx in answer] == list(range(MAX_MX))
        assert fake.tcp_queries == {("big.test", "MX"): 1}


async def test_a_dead_server_is_passed_over_at_once():
    async with served(first=[("127.0.0.1", 1)], try_timeout=5) as (_, resolver, _clock):
        async with asyncio.timeout(2):
            assert await resolver.mx("a.test")


async def test_a_server_that_answers_is_asked_first_from_then_on():
    async with (
        FakeDns(behaviours={"a.test": Behaviour.SILENT}) as silent,
        served(first=[silent.address]) as (_, resolver, _c),
    ):
        assert await resolver.mx("a.test")
        assert await resolver.txt("a.test")
        assert silent.queries.total() == 1


async def test_all_servers_dead_is_temporary():
    with pytest.raises(TemporaryFailure, match="out of reach"):
        await Resolver([("127.0.0.1", 1)]).mx("a.test")


async def test_silence_ends_within_the_total_time():
    async with served(
        behaviours={"a.test": Behaviour.SILENT}, try_timeout=5, total_timeout=0.2
    ) as (_, resolver, _clock):
        async with asyncio.timeout(2):
            with pytest.raises(TemporaryFailure, match="in time"):
                await resolver.mx("a.test")


async def test_an_answer_is_kept_for_its_ttl():
    async with served(ttl=100) as (fake, resolver, clock):
        answer = await resolver.mx("a.test")
        assert answer.expires_at == clock.now + 100
        clock.now += 99
        await resolver.mx("A.Test.")
        assert fake.queries["a.test", "MX"] == 1
        clock.now += 2
        await resolver.mx("a.test")
        assert fake.queries["a.test", "MX"] == 2


@pytest.mark.parametrize(("ttl", "kept"), [(0, 5), (10**7, 86_400)])
async def test_an_unreasonable_ttl_is_clamped(ttl, kept):
    async with served(ttl=ttl) as (_, resolver, clock):
        assert (await resolver.mx("a.test")).expires_at == clock.now + kept


async def test_that_a_name_does_not_exist_is_kept_for_the_soa_minimum():
    async with served(negative_ttl=30) as (fake, resolver, clock):
        for seconds, asked in ((0, 1), (29, 1), (2, 2)):
            clock.now += seconds
            with pytest.raises(NoSuchName):
                await resolver.mx("nowhere.test")
            assert fake.queries["nowhere.test", "MX"] == asked


async def test_that_a_name_does_not_exist_is_not_believed_for_longer_than_an_hour():
    async with served(negative_ttl=10**6) as (fake, resolver, clock):
        for seconds, asked in ((0, 1), (3599, 1), (2, 2)):
            clock.now += seconds
            with pytest.raises(NoSuchName):
                await resolver.mx("nowhere.test")
            assert fake.queries["nowhere.test", "MX"] == asked


async def test_a_failure_is_kept_for_a_moment_only():
    async with served(behaviours={"a.test": Behaviour.REFUSED}) as (fake, resolver, clock):
        for _ in range(2):
            with pytest.raises(TemporaryFailure, match="REFUSED"):
                await resolver.mx("a.test")
        assert fake.queries["a.test", "MX"] == 2  # two rounds of one look-up
        fake.behaviours.clear()
        clock.now += FAILURE_TTL
        assert await resolver.mx("a.test")


async def test_the_same_question_is_asked_once_at_a_time():
    async with served() as (fake, resolver, _clock):
        await asyncio.gather(*(resolver.mx("a.test") for _ in range(50)))
        assert fake.queries["a.test", "MX"] == 1


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others():
    async with served(behaviours={"a.test": Behaviour.FORGED_FIRST}) as (_, resolver, _clock):
        impatient, patient = (asyncio.create_task(resolver.mx("a.test")) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        assert len(await patient) == 2


async def test_the_cache_is_bounded(monkeypatch):
    monkeypatch.setattr("domains.foundation.dns.resolver.MAX_ENTRIES", 3)
    async with served(zones={f"{n}.test": {} for n in range(9)}) as (_, resolver, _clock):
        for n in range(9):
            await resolver.mx(f"{n}.test")
        assert len(resolver._kept) == 3


async def test_one_family_in_trouble_does_not_hide_the_other():
    async with served(behaviours={("four.test", "AAAA"): Behaviour.SERVFAIL}) as (
        _,
        resolver,
        clock,
    ):
        answer = await resolver.addresses("four.test")
        assert list(map(str, answer)) == ["192.0.2.4"]
        assert answer.expires_at == clock.now + FAILURE_TTL


async def test_no_address_and_trouble_is_temporary():
    async with served(behaviours={("four.test", "A"): Behaviour.SERVFAIL}) as (_, resolver, _clock):
        with pytest.raises(TemporaryFailure):
            await resolver.addresses("four.test")


async def test_the_ad_flag_counts_only_from_a_trusted_server():
    for trusted in (True, False):
        async with served(authenticated=True, trusts_ad=trusted) as (_, resolver, _clock):
            assert (await resolver.mx("a.test")).authenticated is trusted
    assert Resolver([("127.0.0.1", 53)])._trusts_ad
    assert not Resolver([("127.0.0.1", 53), ("192.0.2.53", 53)])._trusts_ad


async def test_an_internationalised_name_is_asked_in_a_labels():
    async with served() as (_, resolver, _clock):
        assert await resolver.mx("Bücher.test")
