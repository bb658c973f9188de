"""What receivers make of a domain's mail, put together."""

from ipaddress import ip_address

from domains.identity.verdicts import MailOrigin, verdicts
from tests.domains.identity.test_spf import Names

GOOD = {
    "relay.test": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]},
    "_dmarc.shop.test": {"TXT": ["v=DMARC1; p=reject"]},
}


async def slips(zones, *, domain="shop.test", is_signed=True, return_path="relay.test"):
    origin = MailOrigin(domain, return_path, "relay.test", [ip_address("192.0.2.7")], is_signed)
    return {each["slip"]: each for each in await verdicts(origin, Names(zones))}


async def test_signed_mail_passes_though_the_return_path_is_ours():
    found = await slips(GOOD)
    assert set(found) == {
        "spf-pass", "dmarc-own", "dkim-aligned", "spf-not-aligned", "dmarc-pass",
    }  # fmt: skip


async def test_unsigned_mail_fails_then():
    assert (await slips(GOOD, is_signed=False))["dmarc-fail"]["state"] == "fail"


async def test_a_return_path_of_its_own_aligns_even_unsigned():
    zones = GOOD | {"rp.shop.test": {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]}}
    found = await slips(zones, is_signed=False, return_path="rp.shop.test")
    assert {"spf-aligned", "dmarc-pass", "dkim-none"} <= set(found)


async def test_a_return_path_of_its_own_aligns_where_no_policy_says_more():
    zones = {"rp.shop.test": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]}}
    found = await slips(zones, is_signed=False, return_path="rp.shop.test")
    assert {"spf-aligned", "dmarc-none"} <= set(found)


async def test_it_does_not_where_the_policy_wants_the_same_name():
    strict = {"_dmarc.shop.test": {"TXT": ["v=DMARC1; p=reject; aspf=s"]}}
    zones = GOOD | strict | {"rp.shop.test": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]}}
    assert "spf-not-aligned" in await slips(zones, return_path="rp.shop.test")


async def test_a_policy_from_above_is_named():
    found = await slips(GOOD, domain="news.shop.test")
    assert "inherited from shop.test" in found["dmarc-inherited"]["text"]


async def test_a_broken_spf_names_its_term():
    zones = GOOD | {"relay.test": {"TXT": ["v=spf1 include:gone.test -all"]}}
    assert "include:gone.test" in (await slips(zones))["spf-nothing"]["text"]


async def test_no_answer_is_no_verdict():
    found = await slips(GOOD | {"_dmarc.shop.test": None})
    assert found["dmarc-unknown"]["state"] == "unknown" and "dmarc-pass" not in found
