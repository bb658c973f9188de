"""What a finished message may say about its sender (hardening B2, B3, B5)."""

from types import SimpleNamespace

import pytest

from domains.foundation.text.addresses import parse_path
from smtp_listener.admission import policy
from smtp_listener.admission.policy import Refused

DOMAINS = ["shop.test", "xn--wgv71a.test"]


def check(header, *, smtputf8=False):
    return policy.check_message(
        header + b"\r\nbody\r\n", DOMAINS, smtputf8=smtputf8, hostname="relay.test"
    )


def refusal(header, **given):
    with pytest.raises(Refused) as caught:
        check(header, **given)
    return caught.value.reply


@pytest.mark.parametrize(
    "header",
    [
        b"From: shop@shop.test\r\n",
        b'From: "Shop, Inc." <shop@SHOP.TEST.>\r\nReply-To: anybody@other.test\r\n',
        b"From: a@shop.test,\r\n b@shop.test\r\nSender: a@shop.test\r\n",
        b"From: =?utf-8?B?44GC?= <a..b@shop.test>\r\n",
        "From: 店 <shop@xn--wgv71a.test>\r\n".encode(),
        b"Resent-From: a@shop.test\r\nResent-From: b@shop.test\r\nFrom: shop@shop.test\r\n",
    ],
)
def test_a_message_of_the_accounts_own_domains_is_taken(header):
    assert check(header).from_domain in DOMAINS


@pytest.mark.parametrize(
    "header",
    [
        b"From: shop@other.test\r\n",
        b"From: a@shop.test, b@other.test\r\n",
        b'From: "b@shop.test" <a@other.test>\r\n',
        b"From: shop@sub.shop.test\r\n",
        b"From: shop@shop.test.other.test\r\n",
        "From: shop@ѕhop.test\r\n".encode(),  # a Cyrillic letter
        b"From: shop@shop.test\r\nSender: boss@other.test\r\n",
        b"From: shop@shop.test\r\nResent-From: a@shop.test\r\nResent-From: boss@other.test\r\n",
        b"From: shop@shop.test\r\nResent-Sender: boss@other.test\r\n",
    ],
)
def test_b2_another_domain_in_any_sender_field_is_refused(header):
    reply = refusal(header)
    assert (reply.code, reply.enhanced) == (550, "5.7.1")


@pytest.mark.parametrize(
    "header",
    [
        b"From: shop@shop.test\r\nFrom: shop@shop.test\r\n",
        b"From: shop@shop.test\r\nFROM: boss@other.test\r\n",
        b"From: shop@shop.test\r\nSender: a@shop.test\r\nSender: a@shop.test\r\n",
        b"Subject: none\r\n",
        b"From:\r\n",
        b"From: undisclosed:;\r\n",
        b"From: <shop@shop.test\r\n",
        b"From: shop@shop.test (boss@other.test)\r\n",
        b"From: boss@other.test <shop@shop.test>\r\n",
        b"From: =?utf-8?Q?a=0D=0AFrom=3A?= <shop@shop.test>\r\n",
        b"From: \x1b$B <shop@shop.test>\r\n",
        b"From : shop@shop.test\r\n",
        b"not a field\r\nFrom: shop@shop.test\r\n",
    ],
)
def test_b2_a_sender_that_readers_could_see_differently_is_refused(header):
    assert refusal(header).code == 550


def test_a_local_part_in_utf8_needs_smtputf8():
    header = "From: 店@shop.test\r\n".encode()
    assert refusal(header).enhanced == "5.6.7"
    assert check(header, smtputf8=True).header_from == "店@shop.test"


@pytest.mark.parametrize(("times", "is_loop"), [(29, False), (30, True)])
def test_b5_thirty_hosts_are_a_loop(times, is_loop):
    header = b"Received: from a.test by b.test; now\r\n" * times + b"From: shop@shop.test\r\n"
    assert (refusal(header).enhanced == "5.4.6") if is_loop else check(header)


@pytest.mark.parametrize(("times", "is_loop"), [(2, False), (3, True)])
def test_b5_the_third_pass_through_this_host_is_a_loop(times, is_loop):
    header = (
        b"Received: from a.test\r\n\tby Relay.test with ESMTP id 1;\r\n\tnow\r\n" * times
        + b"From: shop@shop.test\r\n"
    )
    assert (refusal(header).code == 554) if is_loop else check(header)


OWN_NAMES = [
    b'From: "app@shop.test" <app@shop.test>', b'From: "other@shop.test" <app@shop.test>',
    b"From: Shop <app@shop.test>",
    b'From: "a@mail.shop.test" <app@shop.test>', 'From: "a@日本.test" <app@shop.test>'.encode(),
    b'Reply-To: "b@bank.test" <a@shop.test>\r\nFrom: app@shop.test',
]  # fmt: skip
FOREIGN_NAMES = [
    ("From", b'From: "boss@bank.test" <app@shop.test>'),
    ("From", b"From: =?utf-8?q?Boss_=3Cboss=40bank.test=3E?= <app@shop.test>"),
    ("From", b'From: "boss@bank.test via Shop" <app@shop.test>'),
    ("From", b'From: Shop <app@shop.test>, "boss@bank.test" <b@shop.test>'),
    ("Sender", b'From: app@shop.test\r\nSender: "boss@bank.test" <app@shop.test>'),
    ("Resent-From", b'From: app@shop.test\r\nResent-From: "boss@bank.test" <app@shop.test>'),
    ("Resent-Sender", b'From: app@shop.test\r\nResent-Sender: "boss@bank.test" <app@shop.test>'),
]


@pytest.mark.parametrize("header", OWN_NAMES)
def test_a_name_may_show_an_address_of_the_projects_own_domains(header):
    policy.check_names(check(header + b"\r\n").headers, DOMAINS)


@pytest.mark.parametrize(("field", "header"), FOREIGN_NAMES)
def test_a_name_that_shows_anothers_address_is_refused_by_name(field, header):
    headers = check(header + b"\r\n").headers
    with pytest.raises(Refused) as caught:
        policy.check_names(headers, DOMAINS)
    reply = caught.value.reply
    assert (reply.code, reply.enhanced) == (550, "5.7.1")
    assert reply.text.startswith(
        f"The name in the {field} field shows boss@bank.test, of no verified domain"
    )


def test_a_domain_that_ends_alike_is_anothers():
    with pytest.raises(Refused, match="a@myshop"):
        policy.check_names(check(b'From: "a@myshop.test" <app@shop.test>\r\n').headers, DOMAINS)


def test_b5_mail_of_port_25_loops_too():
    with pytest.raises(Refused, match="loop"):
        policy.check_returned(
            b"Received: by relay.test with SMTP; now\r\n" * 3 + b"\r\n", "relay.test"
        )
    policy.check_returned(b"no header at all\r\n\r\n", "relay.test")


def test_the_null_reverse_path_is_anybodys_and_others_are_not():
    policy.check_sender(None, DOMAINS)
    with pytest.raises(Refused, match=r"other\.test"):
        policy.check_sender(parse_path("a@other.test", smtputf8=False), DOMAINS)


def test_a_domain_that_waits_for_its_records_is_told_as_that():
    for domain, words in (
        ("new.test", "may not send as new.test yet: the domain's records"),
        ("young.test", "its DKIM key has to be seen in DNS"),
        ("news.strict.test", "the DMARC policy of strict.test has adkim=s"),
        ("old.test", "may not send as old.test any more: for 72 hours nothing"),
        ("other.test", "it is no verified domain"),
    ):
        with pytest.raises(policy.NotAllowed) as caught:
            check(f"From: a@{domain}\r\n".encode())
        waiting = SimpleNamespace(
            unverified=["new.test", "old.test"],
            keyless=["young.test"],
            lapsed=["old.test"],
            strict=["strict.test"],
        )
        reply = caught.value.told(waiting).reply
        is_a_matter_of_time = domain == "young.test"
        expected = (451, "4.7.1") if is_a_matter_of_time else (550, "5.7.1")
        assert (reply.code, reply.enhanced) == expected and words in reply.text


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (b"X-A: a\x0bFrom: boss@other.test", "The X-A field has a control character: VT (U+000B)"),
        (b"Subject: a\r\n \x0cb", "The Subject field has a control character: FF (U+000C)"),
        (
            "Subject: a\x85From: b".encode(),
            "The Subject field has a control character: NEL (U+0085)",
        ),
        (
            "List-Id: \u2028a".encode(),
            "The List-Id field has a control character: line separator (U+2028)",
        ),
    ],
)
def test_a_control_character_in_any_field_is_refused_by_name(field, text):
    reply = refusal(b"From: shop@shop.test\r\n" + field + b"\r\n")
    assert (reply.code, reply.enhanced, reply.text) == (550, "5.6.0", text)


@pytest.mark.parametrize("field", ["From", "Sender", "Resent-From", "Resent-Sender"])
@pytest.mark.parametrize("smtputf8", [False, True])
@pytest.mark.parametrize(
    "address",
    [
        "x@shop。test",
        "x@ｓhop.test",
        "x@shop．test",
        "x@shop｡test",
        "x@日本。test",
        "x@日本．test",
        "店 <x@日本.ｔest>",
    ],
)
def test_a_domain_that_receivers_must_map_is_refused(field, smtputf8, address):
    header = f"{field}: {address}\r\n" + ("" if field == "From" else "From: a@shop.test\r\n")
    reply = refusal(header.encode(), smtputf8=smtputf8)
    assert (reply.code, reply.enhanced) == (550, "5.7.1")
    written = address.rpartition("@")[2].strip(">").encode("ascii", "backslashreplace").decode()
    assert reply.text.startswith(f"The {field} field cannot be read: The domain {written} ")


@pytest.mark.parametrize(
    ("field", "needs"),
    [
        ("Subject: ご注文", False),
        ("To: 山田 <you@mx.test>", False),
        ('To: "山田@東京" <you@mx.test>, (東京) me@mx.test', False),
        ("To: Team: a@mx.test, 山田 <b@mx.test>;", False),
        ("X-Note: 山@mx.test", False),
        ("To: 会員各位: a@mx.test, b@mx.test;", False),
        ("To: 会員各位:;", False),
        ("To: 山田 you@mx.test", False),
        ("To: 会員各位: 山田@mx.test;", True),
        ("To: 田中@営業部 <you@mx.test>", False),
        ("To: 会員@本部: you@mx.test;", False),
        ('Cc: "山 田"@mx.test, "Anna" <a@mx.test>', True),
        ('To: "never closed <山@mx.test>', True),
        ("To: 山田@mx.test", True),
        ("Cc: a@mx.test, Anna <you@東京.test>", True),
        ('Reply-To: "山 田"@mx.test', True),
    ],
)
def test_only_an_address_needs_smtputf8_of_the_next_host(field, needs):
    checked = check(f"From: shop@shop.test\r\n{field}\r\n".encode(), smtputf8=True)
    assert policy.needs_smtputf8(checked.headers) is needs


@pytest.mark.parametrize("charset", ["shift_jis", "euc_jp", "latin-1"])
def test_a_name_in_another_charset_needs_no_smtputf8(charset):
    name = "Grüße" if charset == "latin-1" else "ァ会員"
    header = b"From: shop@shop.test\r\nTo: " + name.encode(charset) + b": you@mx.test;\r\n"
    assert not policy.needs_smtputf8(check(header, smtputf8=True).headers)


def test_a_unicode_domain_in_from_needs_smtputf8():
    header = "From: 店 <shop@日本.test>\r\n".encode()
    assert "is not ASCII: write it as A-labels" in refusal(header).text
    assert check(header, smtputf8=True).from_domain == "xn--wgv71a.test"
    assert "may not send as" in refusal("From: shop@日木.test\r\n".encode(), smtputf8=True).text


@pytest.mark.parametrize(
    "written",
    [
        "shop@shop.test <shop@shop.test>",
        "Shop, Inc. <shop@shop.test>",
        "Shop: News <shop@shop.test>",
        "us: shop@shop.test;",
    ],
)
def test_a_from_that_breaks_the_grammar_is_taken_where_all_of_it_is_the_accounts(written):
    message = f"From: {written}\r\nSender: {written}\r\n\r\n".encode()
    headers = policy.check_message(message, ["shop.test"], smtputf8=False, hostname="relay.test")
    assert (headers.header_from, headers.from_domain) == ("shop@shop.test", "shop.test")
    policy.check_names(headers.headers, ["shop.test"])
    with pytest.raises(policy.Refused, match="at @"):
        policy.check_message(message, ["other.test"], smtputf8=False, hostname="relay.test")
