"""Addresses and header fields that apps and strangers write: read in one way, or refused in
words.
"""

from __future__ import annotations

from datetime import UTC, datetime

from deliveries.intake import header_completion
from deliveries.message.headers import BadHeaders, parse
from domains.foundation.text import texts
from domains.foundation.text.addresses import MAX_PATH, BadAddress, canonical_domain, parse_path
from domains.foundation.text.mailboxes import mailboxes
from smtp_listener.admission import policy
from smtp_listener.admission.policy import Refused
from tests.fuzz.targets import Ready

DOMAINS = ["shop.test", "xn--r8jz45g.test"]
NOW = datetime(2026, 11, 25, tzinfo=UTC)
VALUES = [
    "shop@shop.test", '"Shop, Ltd." <shop@shop.test>', "a@shop.test, b@shop.test",
    "Shop (hello) <shop@shop.test>",
    "..a.@docomo.shop.test", '"a b"@shop.test', "=?utf-8?B?44GC?= <shop@shop.test>", ("="
        "?iso-2022-jp?B?GyRCJCIbKEI=?= <a@shop.test>"),
    "用户@例え.test", "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]", "a%b@shop.test", "@x,@y:a@shop.test",
    "group: a@shop.test;",
    "a@ｓｈｏｐ。test",
    "a@SHOP.test.", "=?utf-8?Q?a=0D=0AFrom:_x=40bank.test?= <a@shop.test>", "\u202ea@shop.test",
    "\u00df@stra\u00dfe.test",
]  # fmt: skip
SECTIONS = [
    "From: {}\r\nSubject: a\u2028From: b@bank.test\r\n", ("X: a\x0bFrom: b@bank.test\r\nFrom: "
        "{}\r\n"), "From: {0}\r\nFrom: {0}\r\n",
    "From: {}\r\nTo: you@mx.test\r\nSubject: hello\r\n",
    "Sender: shop@shop.test\r\nFrom: {}\r\n\tx\r\nDate: now\r\nMessage-ID: <a@b>\r\n",
    "Resent-From: {}\r\nFrom: a@shop.test\r\nX-Ekiden-Priority: urgent\r\nBcc: c@d.test\r\n",
    ('Authentication-Results: (c) "relay.test"; dkim=pass\r\n'
        'Received: from a by relay.test with SMTP\r\nFrom: {}\r\n'),
]  # fmt: skip


def ready() -> Ready:
    sections = [section.format(value) for section in SECTIONS for value in VALUES[:6]]
    words = [
        b"From: ",
        b"Sender: ",
        b"\r\n ",
        b"=?utf-8?Q?",
        b"?=",
        b"xn--",
        b"\xe2\x80\xa8",
        b"\xc2\x85",
        b"shop.test",
        b'"',
        b"<",
        b">",
    ]
    return Ready(one, [text.encode() for text in (*VALUES, *sections)], words)


def one(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    _path(text)
    _domain(text)
    for smtputf8 in (False, True):
        _mailboxes(data, smtputf8=smtputf8)
        _message(data, smtputf8=smtputf8)


def _path(text: str) -> None:
    """Check that what was read is written so that it is read again as the same; its key does not
    depend on how it was written.
    """
    for smtputf8 in (False, True):
        try:
            address = parse_path(text, smtputf8=smtputf8, allow_literal=True)
        except BadAddress as error:
            assert not texts.has_control(error.text)
            continue
        again = parse_path(address.wire, smtputf8=True, allow_literal=True)
        assert (again, again.key) == (address, address.key), "another address when it is read again"
        assert len(address.wire.encode()) <= MAX_PATH - 2
        assert not texts.has_control(address.wire + address.key)
        assert address.domain.isascii()
        assert smtputf8 or not address.needs_smtputf8
        if address.domain.startswith("["):
            continue
        cased = parse_path(
            f"{address.wire.rpartition('@')[0]}@{address.domain.upper()}", smtputf8=True
        )
        assert cased.key == address.key


def _domain(text: str) -> None:
    try:
        name = canonical_domain(text)
    except BadAddress:
        return
    assert canonical_domain(name) == name == name.lower()
    assert name.isascii() and 0 < len(name) <= 253


def _mailboxes(data: bytes, *, smtputf8: bool) -> None:
    try:
        found = mailboxes(data, smtputf8=smtputf8)
    except BadAddress as error:
        assert error.code == 550
        return
    assert found
    for address in found:
        assert parse_path(address.wire, smtputf8=True) == address


def _message(data: bytes, *, smtputf8: bool) -> None:
    """Check that a section that is taken has one From of an allowed domain, for readers with other
    ideas of a line end as well.
    """
    try:
        headers = parse(data)
    except BadHeaders:
        return
    assert bytes(headers) == data, "the fields are not the section"
    header_completion.without_claimed_results(
        header_completion.without_control(headers), "relay.test"
    )
    try:
        checked = policy.check_message(
            data + b"\r\nbody\r\n", DOMAINS, smtputf8=smtputf8, hostname="relay.test"
        )
    except Refused as refused:
        assert bytes(refused.reply).count(b"\r\n") == 1
        return
    assert checked.from_domain in DOMAINS
    authors = [
        line
        for line in data.decode("utf-8", "replace").splitlines()
        if line.lower().startswith("from:")
    ]
    assert len(authors) == 1, f"readers see several authors: {authors}"
