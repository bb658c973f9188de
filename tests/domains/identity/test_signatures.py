"""Signatures are judged by dkimpy and the keys in DNS, each with its reason and its alignment."""

import time

import pytest

from deliveries.message.headers import parse, split
from domains.identity import signatures
from domains.senders import dkim
from tests.commands import ekiden, ekiden_json
from tests.fakes.dns import Behaviour, FakeDns

KEY, ED, OTHER = dkim.generate(), dkim.generate("ed25519"), dkim.generate()
MAIL = b"From: Shop <a@shop.test>\r\nTo: b@b.test\r\nSubject: x\r\n\r\nhello\r\n"


def signed(data=MAIL, domain="shop.test", key=KEY, selector="s"):
    section, body_at = split(data)
    fields = [(field.name, field.raw) for field in parse(section)]
    signer = dkim.Signer(domain, selector, key)
    hashed = dkim.body_hash(data[body_at:])
    return dkim.sign(fields, hashed, signers=[signer], now=int(time.time())) + data


@pytest.fixture
def zones():
    return {
        "s._domainkey.shop.test": {"TXT": [dkim.txt_value(KEY)]},
        "e._domainkey.shop.test": {"TXT": [dkim.txt_value(ED)]},
        "s._domainkey.mail.shop.test": {"TXT": [dkim.txt_value(KEY)]},
        "s._domainkey.esp.test": {"TXT": [dkim.txt_value(KEY)]},
        "_dmarc.shop.test": {"TXT": ["v=DMARC1; p=none"]},
    }


@pytest.fixture(autouse=True)
def server(settings, zones):
    with FakeDns(zones) as dns:
        settings.EKIDEN_DNS = [dns.url]
        yield dns


def judged(data):
    [found] = signatures.check_message(data)["signatures"]
    return found["state"], found["slip"], found["is_aligned"]


@pytest.mark.parametrize(("key", "selector"), [(KEY, "s"), (ED, "e")], ids=["RSA", "Ed25519"])
def test_our_own_signatures_pass_and_align(key, selector):
    assert judged(signed(key=key, selector=selector)) == ("pass", "sig-pass", True)


def test_a_signature_of_a_name_below_aligns_unless_the_policy_is_strict(zones):
    assert judged(signed(domain="mail.shop.test")) == ("pass", "sig-pass", True)
    zones["_dmarc.shop.test"] = {"TXT": ["v=DMARC1; p=none; adkim=s"]}
    assert judged(signed(domain="mail.shop.test")) == ("pass", "sig-pass", False)


def test_a_strangers_good_signature_is_not_enough():
    found = signatures.check_message(signed(domain="esp.test"))
    assert found["state"] == "fail" and found["signatures"][0]["is_aligned"] is False


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (signed().replace(b"hello", b"Hello"), "sig-body"),
        (signed().replace(b"Subject: x", b"Subject: y"), "sig-wrong"),
        (signed(key=OTHER), "sig-wrong"),
        (signed(selector="gone"), "sig-no-key"),
        (signed().replace(b"rsa-sha256", b"rsa-sha512"), "sig-algorithm"),
        (signed().replace(b"\td=", b"\tz="), "sig-unreadable"),
        (b"DKIM-Signature: what?\r\n" + MAIL, "sig-unreadable"),
    ],
)
def test_each_failure_is_named_by_its_sentence(data, code):
    assert judged(data)[:2] == ("fail", code)


def test_a_revoked_key_is_told_from_a_wrong_one(zones):
    zones["s._domainkey.shop.test"] = {"TXT": ["v=DKIM1; p="]}
    assert judged(signed())[1] == "sig-revoked"


def test_without_an_answer_of_dns_nothing_is_claimed(server):
    server.behaviours["s._domainkey.shop.test"] = Behaviour.SERVFAIL
    assert signatures.check_message(signed())["state"] == "unknown"
    assert judged(signed())[1] == "sig-unknown"


def test_each_of_several_signatures_is_judged():
    found = signatures.check_message(signed(signed(selector="gone")))
    assert [each["state"] for each in found["signatures"]] == ["pass", "fail"]
    assert found["state"] == "pass"


@pytest.mark.parametrize("head", [b"", b"From: a@a.test, b@b.test\r\n", b"From: ?\r\n"])
def test_without_one_author_nothing_aligns(head):
    assert signatures.check_message(head + b"\r\nx")["state"] == "fail"


def test_the_command_says_why_and_ends_with_a_status(tmp_path):
    good, bad = tmp_path / "good.eml", tmp_path / "bad.eml"
    good.write_bytes(signed())
    bad.write_bytes(signed().replace(b"hello", b"Hello"))
    assert "✓ The signature of shop.test passes" in ekiden("domain", "check", "--message", good)
    with pytest.raises(SystemExit):
        ekiden("domain", "check", "--message", str(bad))
    assert ekiden_json("domain", "check", "--message", str(good))["policy"] == "none"
