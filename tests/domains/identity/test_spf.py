"""SPF against pyspf: the same verdict over zones made at random, and the limits one by one."""

import random
from ipaddress import ip_address

import pytest
import spf as judge

from domains.foundation.dns.resolver import TemporaryFailure
from domains.identity.spf import check_host
from domains.identity.spf_terms import SpfResult

HERE = "192.0.2.7"


class Names:
    """DNS from a dict of names, each a dict of types; None for one that gives no answer."""

    def __init__(self, zones):
        self.zones = zones

    async def ask(self, name, kind):
        found = self.zones.get(name.lower().rstrip("."), {})
        if found is None:
            raise TemporaryFailure("SERVFAIL")
        return tuple(found.get(kind, ()))

    def for_judge(self, name, kind, strict=True, timeout=20):
        found = self.zones.get(name.lower().rstrip("."), {})
        if found is None:
            raise judge.TempError("SERVFAIL")
        shape = {
            "TXT": lambda text: (text.encode(),),
            "MX": lambda host: (10, host),
            "A": lambda text: text,
            "AAAA": lambda text: ip_address(text).packed,
            "PTR": lambda text: text,
        }
        return [((name, kind), shape[kind](value)) for value in found.get(kind, ())]


async def verdict(zones, *, address=HERE, sender="news@a.test", helo="relay.test"):
    domain = sender.rpartition("@")[2]
    return await check_host(Names(zones), ip_address(address), domain, sender=sender, helo=helo)


def of(*texts, **others):
    return {"a.test": {"TXT": list(texts)}, **others}


LETTERS = "abcdefgh"
TERMS = (
    "a", "mx", "a:{n}", "mx:{n}", "a/24", "mx/28", "a:{n}/20", "include:{n}", "include:{n}",
    "exists:{n}", "exists:%{{i}}.{n}", "exists:%{{l}}.%{{d2}}", "ip4:192.0.2.0/28", "ip4:192.0.2.7",
    "ip4:198.51.100.0/24", "ip6:2001:db8::/32", "ptr", "ptr:{n}",
    "exists:%{{ir}}.%{{v}}._spf.%{{d}}",
    "exists:%{{d1r}}.test", "ip4:192.0.2.300", "a:{n}//64", "a/33", "include", "bogus", "all:x",
    "a:%{{x}}.test",
)  # fmt: skip
ENDS = ("-all", "~all", "?all", "+all", "redirect={n}", "redirect=none.test", "")


def zones_of(seed):
    """Return eight domains that refer to each other, most of their terms good ones."""
    rng = random.Random(seed)
    names = [f"{letter}.test" for letter in LETTERS]
    zones = {"relay.test": {"A": [HERE], "AAAA": ["2001:db8::7"]}}
    zones["7.2.0.192.in-addr.arpa"] = {"PTR": [rng.choice(["relay.test", "mail.b.test"])]}
    zones["mail.b.test"] = {"A": [HERE]}
    for name in names:
        good = TERMS if rng.random() < 0.2 else TERMS[:20]
        terms = [rng.choice(good) for _ in range(rng.randrange(4))]
        qualified = [rng.choice(["", "", "", "-", "~", "?"]) + term for term in terms]
        text = " ".join(["v=spf1", *qualified, rng.choice(ENDS)]).format(
            n=rng.choice([other for other in names if other != name])
        )
        zones[name] = {
            "TXT": [text.strip()] + (["v=spf1 -all"] if rng.random() < 0.03 else []),
            "A": [rng.choice([HERE, "192.0.2.9", "198.51.100.1"])],
            "MX": rng.sample([*names, "relay.test"], rng.randrange(3)),
        }
        if rng.random() < 0.1:
            del zones[name]["A"]
    return zones


@pytest.mark.parametrize("seed", range(400))
async def test_pyspf_says_the_same(seed, monkeypatch):
    zones = zones_of(seed)
    monkeypatch.setattr(judge, "DNSLookup", Names(zones).for_judge)
    said = judge.check2(i=HERE, s="news@a.test", h="relay.test")[0]
    assert (await verdict(zones)).result == said


async def test_the_eleventh_look_up_is_one_too_many_and_its_term_is_named():
    others = {f"x{n}.test": {"A": ["198.51.100.1"]} for n in range(11)}
    text = " ".join(["v=spf1", *(f"a:x{n}.test" for n in range(11)), "-all"])
    found = await verdict(of(text, **others))
    assert (found.result, found.problem, found.term) == ("permerror", "lookups", "a:x10.test")


async def test_ten_look_ups_are_not_too_many():
    others = {f"x{n}.test": {"A": ["198.51.100.1"]} for n in range(10)}
    text = " ".join(["v=spf1", *(f"a:x{n}.test" for n in range(10)), "-all"])
    assert (await verdict(of(text, **others))).result is SpfResult.FAIL


async def test_the_third_empty_answer_is_one_too_many():
    found = await verdict(of("v=spf1 a:x.test exists:y.test mx:z.test -all"))
    assert (found.problem, found.term) == ("void", "mx:z.test")


async def test_two_records_are_an_error():
    assert (await verdict(of("v=spf1 -all", "v=spf1 +all"))).problem == "several"


@pytest.mark.parametrize(
    "term", ["bogus", "a:", "ip4:1.2.3", "include:", "a/33", "all.", "a:%{z}.x"]
)
async def test_a_term_that_cannot_be_read_is_named(term):
    found = await verdict(of(f"v=spf1 {term} -all"))
    assert (found.result, found.term) == ("permerror", term)


async def test_an_include_without_a_record_is_named():
    found = await verdict(of("v=spf1 include:gone.test -all"))
    assert (found.problem, found.term) == ("nothing", "include:gone.test")


async def test_a_circle_of_includes_ends():
    assert (await verdict(of("v=spf1 include:a.test -all"))).problem == "lookups"


async def test_no_answer_is_no_verdict():
    found = await verdict(of("v=spf1 a:b.test -all", **{"b.test": None}))
    assert (found.result, found.term) == ("temperror", "a:b.test")


async def test_macros_of_the_example_of_section_7_4():
    zones = of("v=spf1 exists:%{l1r-}.%{ir}.%{v}._spf.%{d2} -all")
    assert (await verdict(zones, sender="bad-strong@a.test")).result is SpfResult.FAIL
    zones["strong.7.2.0.192.in-addr._spf.a.test"] = {"A": ["127.0.0.2"]}
    assert (await verdict(zones, sender="strong-bad@a.test")).result is SpfResult.PASS


async def test_ipv6_is_matched_by_its_own_terms():
    zones = of("v=spf1 ip6:2001:db8::/32 -all")
    assert (await verdict(zones, address="2001:db8::7")).result is SpfResult.PASS
    assert (await verdict(zones)).result is SpfResult.FAIL
