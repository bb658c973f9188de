"""What one record's servers say of it, and what is made of servers that disagree."""

from contextlib import AsyncExitStack

from domains.foundation.dns.authorities import Authorities
from domains.foundation.dns.resolver import Resolver
from domains.identity.inspection import Inspector
from domains.identity.sentences import SENTENCES
from domains.identity.slips import DETECTORS
from domains.senders.records import Purpose, Record
from tests.fakes.dns import Behaviour, FakeDns
from tests.ports import free_port

WANTED = Record(Purpose.DMARC, "_dmarc.shop.test", "TXT", "v=DMARC1; p=none")
HAVING = {WANTED.name: {"TXT": [WANTED.value]}}
SOA = "ns1.shop.test. host.shop.test. 7 3600 600 86400 60"
HOSTS = ["ns1.shop.test", "ns2.shop.test", "ns3.shop.test"]
BASE = {
    "shop.test": {"NS": [f"{host}." for host in HOSTS], "SOA": [SOA]},
    **{host: {"A": [f"127.0.0.{number}"]} for number, host in enumerate(HOSTS, 2)},
}


async def look(*servers, resolver=HAVING, broken=None, may_ask=lambda address: True):
    """Return the record as these servers of the zone have it: their own zones, or a `Behaviour`."""
    port = free_port(*(f"127.0.0.{number}" for number in range(2, 2 + len(servers))))
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(FakeDns({**BASE, **resolver}, broken))
        for number, zones in enumerate(servers, 2):
            wrong = isinstance(zones, Behaviour)
            behaviours = dict.fromkeys((WANTED.name, "shop.test"), zones) if wrong else None
            own = {**BASE, **({} if wrong else zones)}
            place = (f"127.0.0.{number}", port)
            server = FakeDns(own, behaviours, is_resolver=False, place=place)
            await stack.enter_async_context(server)
        asker = Resolver([ours.address])
        authorities = Authorities(asker, may_ask, port=port, timeout=1.0)
        zone = await authorities.zone_of("shop.test")
        return await Inspector("shop.test", zone, authorities, asker).look(WANTED)


async def test_what_all_servers_have_is_found():
    seen = await look(HAVING, HAVING, HAVING)
    assert (seen.state, seen.have, len(seen.hosts)) == ("found", 3, 3)


async def test_three_servers_that_disagree_are_told_apart():
    other = {WANTED.name: {"TXT": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}}
    seen = await look(HAVING, {}, other)
    assert [host.state for host in seen.hosts] == ["found", "missing", "wrong"]
    assert (seen.state, seen.remark.code) == ("spreading", "spreading")
    assert "1 of 3" in seen.text and "ns2.shop.test, ns3.shop.test" in seen.text


async def test_a_silent_server_beside_good_ones_is_named_and_hinders_nothing():
    seen = await look(HAVING, Behaviour.SILENT, HAVING)
    assert (seen.state, seen.have) == ("found", 2)
    assert seen.hosts[1].state == "silent" and "in time" in seen.hosts[1].failure


async def test_a_server_that_does_not_serve_the_zone_is_named():
    seen = await look(HAVING, HAVING, Behaviour.REFUSED)
    assert seen.state == "found" and "REFUSED" in seen.hosts[2].failure


async def test_where_the_servers_may_not_be_asked_the_resolver_is_believed():
    seen = await look(HAVING, HAVING, HAVING, may_ask=lambda address: False)
    assert (seen.state, seen.hosts) == ("found", ())


async def test_where_nobody_answers_it_is_out_of_reach():
    silent = (Behaviour.SILENT,) * 3
    seen = await look(*silent, broken={WANTED.name: Behaviour.SERVFAIL})
    assert seen.state == "unreachable"


async def test_what_only_a_validating_resolver_refuses_is_bogus():
    seen = await look(HAVING, HAVING, HAVING, broken={WANTED.name: Behaviour.BOGUS})
    assert (seen.state, seen.values) == ("bogus", (WANTED.value,))


async def test_what_only_our_resolver_does_not_have_yet_is_spreading():
    seen = await look(HAVING, HAVING, HAVING, resolver={})
    assert (seen.state, seen.remark.code) == ("spreading", "resolver-behind")


def test_each_slip_has_its_own_sentence():
    assert len(DETECTORS) >= 24
    assert len(set(SENTENCES.values())) == len(SENTENCES)
