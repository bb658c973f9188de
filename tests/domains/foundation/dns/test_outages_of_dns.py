"""While name servers are silent or a zone is broken, the last good answers serve on."""

import time
from dataclasses import replace

import dns.name
import pytest

from domains.foundation.dns import exchange
from domains.foundation.dns.exchange import ServerFailure
from domains.foundation.dns.resolver import (
    STALE_MOST,
    STALE_TTL,
    NoServerAnswers,
    NoSuchName,
    Resolver,
    TemporaryFailure,
)
from tests.domains.foundation.dns.test_resolver import served
from tests.fakes.dns import Behaviour


async def test_while_no_server_answers_the_last_good_answer_is_used_on():
    async with served(ttl=300) as (fake, resolver, clock):
        good = await resolver.mx("a.test")
        clock.now += 301
        fake.is_silent = True
        assert await resolver.mx("a.test") == replace(
            good, stale_until=0.0, expires_at=good.expires_at
        )
        with pytest.raises(NoServerAnswers, match="None of our name servers answers"):
            await resolver.mx("four.test")
        assert resolver.is_cut_off
        clock.now += STALE_MOST
        with pytest.raises(NoServerAnswers):
            await resolver.mx("a.test")
        fake.is_silent = False
        await resolver.answers()
        assert not resolver.is_cut_off
        assert await resolver.mx("a.test")


async def test_an_outage_is_asked_about_once_and_not_for_each_name():
    async with served() as (fake, resolver, _clock):
        fake.is_silent = True
        for name in ("a.test", "b.test", "c.test"):
            with pytest.raises(NoServerAnswers):
                await resolver.mx(name)
        assert fake.queries["a.test", "MX"] >= 1
        assert fake.queries["b.test", "MX"] == fake.queries["c.test", "MX"] == 0


async def test_silence_about_one_name_is_no_outage():
    async with served(behaviours={"dead.test": Behaviour.SILENT}) as (_, resolver, _clock):
        with pytest.raises(TemporaryFailure) as raised:
            await resolver.mx("dead.test")
        assert not isinstance(raised.value, NoServerAnswers)
        assert not resolver.is_cut_off


async def test_an_answer_that_we_are_too_late_to_hear_is_no_outage(monkeypatch):
    probes = 0

    async def stopped(server, name, rdtype, *, timeout):
        """Ask as the product does, in a process that does not run while the first probe waits."""
        nonlocal probes
        probes += name == dns.name.root
        if name == dns.name.root and probes == 1:
            time.sleep(timeout + 0.6)
            raise ServerFailure("The name server did not answer in time", is_silence=True)
        return await exchange.ask(server, name, rdtype, timeout=timeout)

    monkeypatch.setattr("domains.foundation.dns.servers.ask", stopped)
    async with served(behaviours={"dead.test": Behaviour.SILENT}) as (_, resolver, _clock):
        with pytest.raises(TemporaryFailure) as raised:
            await resolver.mx("dead.test")
        assert not isinstance(raised.value, NoServerAnswers)
        assert (probes, resolver.is_cut_off) == (2, False)


async def test_a_broken_zones_last_good_answer_is_used_on_for_a_while():
    async with served(ttl=300) as (fake, resolver, clock):
        await resolver.mx("a.test")
        clock.now += 301
        fake.behaviours["a.test"] = Behaviour.SERVFAIL
        assert await resolver.mx("a.test")
        asked = fake.queries["a.test", "MX"]
        assert await resolver.mx("a.test")
        # RFC 8767, section 5: not again for 30 seconds.
        assert fake.queries["a.test", "MX"] == asked
        clock.now += STALE_TTL + 1
        fake.behaviours["a.test"] = Behaviour.NXDOMAIN
        with pytest.raises(NoSuchName):  # an answer is an answer
            await resolver.mx("a.test")


async def test_what_one_resolver_knows_the_next_one_goes_on_with():
    async with served() as (fake, resolver, clock):
        await resolver.mx("a.test")
        fake.is_silent = True
        after = Resolver([fake.address], clock=clock, try_timeout=0.3, kept=resolver._kept)
        assert await after.mx("a.test")
