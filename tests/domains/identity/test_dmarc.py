"""DMARC by RFC 9989: the tree walk against checkdmarc, and each tag by itself."""

import random

import dns.exception
import dns.resolver
import pytest
from checkdmarc import dmarc as judge

from domains.identity.dmarc import is_aligned, policy_for, steps, unauthorised


def texts_of(zones):
    async def texts(name):
        found = zones.get(name, ())
        return (found,) if isinstance(found, str) else tuple(found)

    return texts


async def policy(domain, zones, **given):
    return await policy_for(domain, texts_of(zones), **given)


def zones_of(seed):
    """Return records of a domain and the names above it, with tags of all kinds."""
    rng = random.Random(seed)
    labels = [rng.choice("abcdefgh") for _ in range(rng.randrange(1, 11))]
    domain = ".".join([*labels, "shop", "test"])
    zones = {}
    parts = domain.split(".")
    for at in range(len(parts)):
        if rng.random() < 0.35:
            tags = [
                f"p={rng.choice(['none', 'quarantine', 'reject'])}" if rng.random() < 0.9 else "",
                f"sp={rng.choice(['none', 'quarantine', 'reject'])}" if rng.random() < 0.4 else "",
                f"psd={rng.choice('ynu')}" if rng.random() < 0.3 else "",
                "adkim=s" if rng.random() < 0.2 else "",
            ]
            zones["_dmarc." + ".".join(parts[at:])] = "; ".join(filter(None, ["v=DMARC1", *tags]))
    return domain, zones


@pytest.mark.parametrize("seed", range(300))
async def test_checkdmarc_finds_the_same_record(seed, monkeypatch):
    domain, zones = zones_of(seed)

    def query(name, kind, **_):
        if name in zones:
            return [zones[name]]
        raise dns.resolver.NoAnswer if kind == "TXT" else dns.exception.DNSException

    monkeypatch.setattr(judge, "query_dns", query)
    try:
        location = judge.query_dmarc_record(domain)["location"]
    except judge.DMARCRecordNotFound:
        location = ""
    assert (await policy(domain, zones)).found_at == location


def test_eight_names_are_asked_at_most():
    deep = "a.b.c.d.e.f.g.h.i.j.test"
    assert steps(deep) == [deep, *(deep.split(".", n)[n] for n in range(4, 11))]
    assert len(steps(deep)) == 8 and steps("shop.test") == ["shop.test", "test"]


async def test_an_inherited_policy_says_where_it_comes_from():
    found = await policy("news.shop.test", {"_dmarc.shop.test": "v=DMARC1; p=reject; sp=none"})
    assert (found.policy, found.found_at, found.is_inherited) == ("none", "shop.test", True)


async def test_np_counts_only_for_a_name_that_does_not_exist():
    zones = {"_dmarc.shop.test": "v=DMARC1; p=none; sp=quarantine; np=reject"}
    assert (await policy("x.shop.test", zones, exists=False)).policy == "reject"
    assert (await policy("x.shop.test", zones)).policy == "quarantine"


@pytest.mark.parametrize("rest", ["", "; rua=mailto:d@shop.test", "; p=nonsense"])
async def test_a_missing_policy_is_none(rest):
    assert (await policy("shop.test", {"_dmarc.shop.test": "v=DMARC1" + rest})).policy == "none"


@pytest.mark.parametrize(
    ("asked", "applied"), [("reject", "quarantine"), ("quarantine", "none"), ("none", "none")]
)
async def test_a_test_is_one_step_less(asked, applied):
    found = await policy("shop.test", {"_dmarc.shop.test": f"v=DMARC1; p={asked}; t=y"})
    assert (found.policy, found.tested) == (asked, applied)


async def test_two_records_are_as_good_as_none():
    zones = {"_dmarc.shop.test": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}
    assert (await policy("shop.test", zones)).policy is None


async def test_what_no_longer_counts_is_not_read():
    found = await policy("shop.test", {"_dmarc.shop.test": "v=DMARC1; p=reject; pct=0; ri=1"})
    assert found.tested == "reject"


async def test_below_a_public_suffix_every_name_is_an_organization_of_its_own():
    zones = {
        "_dmarc.co.test": "v=DMARC1; p=none; psd=y",
        "_dmarc.shop.co.test": "v=DMARC1; p=reject",
    }
    found = await policy("shop.co.test", zones)
    assert found.organization == "shop.co.test"
    assert await is_aligned(found, "rp.shop.co.test", "aspf", texts_of(zones))
    assert not await is_aligned(found, "other.co.test", "aspf", texts_of(zones))


async def test_strict_alignment_takes_the_same_name_only():
    zones = {"_dmarc.shop.test": "v=DMARC1; p=none; aspf=s"}
    found = await policy("shop.test", zones)
    assert not await is_aligned(found, "rp.shop.test", "aspf", texts_of(zones))
    assert await is_aligned(found, "rp.shop.test", "adkim", texts_of(zones))


async def test_an_outside_address_for_reports_needs_its_own_record():
    zones = {
        "_dmarc.shop.test": "v=DMARC1; p=none; rua=mailto:d@shop.test,mailto:r@reports.test!9m"
    }
    found = await policy("shop.test", zones)
    assert await unauthorised(found, texts_of(zones)) == ["reports.test"]
    zones["shop.test._report._dmarc.reports.test"] = "v=DMARC1;"
    assert await unauthorised(found, texts_of(zones)) == []
