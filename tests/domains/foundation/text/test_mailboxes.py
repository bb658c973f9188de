import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.foundation.text.addresses import BadAddress
from domains.foundation.text.mailboxes import mailboxes
from tests.cost import assert_in_proportion


def read(value):
    return [address.wire for address in mailboxes(value)]


ONE = [
    "a@a.test", " a@A.Test ", "<a@a.test>", "< a@a.test >", "Shop <a@a.test>", "Shop<a@a.test>",
    '"Shop, Inc." <a@a.test>',
    '"b@b.test" <a@a.test>', r'"The \"Shop\"" <a@a.test>', "John Q. Public <a@a.test>",
    "a@a.test (Cron, Daemon)",
    "Shop (the one) <a@a.test> (here)", "=?utf-8?B?5bqX?= <a@a.test>",
    "=?utf-8?q?b=40b.test?= <a@a.test>",
    '"=?iso-2022-jp?B?GyRCRTkbKEI=?=" <a@a.test>', "店 <a@a.test>", '"店　舗" <a@a.test>',
    "Shop\r\n <a@a.test>", "a@a.test\r\n",
    "Shop\t<a@a.test>", '"<b@b.test>" <a@a.test>', '"" <a@a.test>',
]  # fmt: skip


@pytest.mark.parametrize("value", ONE)
def test_an_ordinary_field_has_the_one_mailbox_that_every_reader_sees(value):
    assert read(value) == read(value.encode()) == ["a@a.test"]


def test_every_mailbox_of_a_list_is_seen():
    assert read('a@a.test, "x, y" <b@b.test>,C <c@c.test> (d)') == [
        "a@a.test",
        "b@b.test",
        "c@c.test",
    ]


def test_a_legacy_and_an_internationalised_mailbox_are_read():
    assert read("a..b@docomo.ne.jp, 用户@例え.test") == [
        '"a..b"@docomo.ne.jp',
        "用户@xn--r8jz45g.test",
    ]


DOUBTFUL = {
    "nothing": "",
    "only a comment": "(a)",
    "only a name": "Shop",
    "only an encoded word": "=?utf-8?q?a=40a.test?=",
    "two addresses": "<a@a.test> <b@b.test>",
    "an address for a name": "b@b.test <a@a.test>",
    "an address after the address": "<a@a.test> b@b.test",
    "a name after the address": "<a@a.test> Shop",
    "an address without brackets after a name": "Shop a@a.test",
    "a group": "Shop: a@a.test;",
    "an empty group": "undisclosed-recipients:;",
    "a route": "<@b.test:a@a.test>",
    "an empty element": "a@a.test,,b@b.test",
    "a comma at the end": "a@a.test,",
    "a semicolon": "a@a.test; b@b.test",
    "no brackets closed": "<a@a.test",
    "brackets in brackets": "<<a@a.test>>",
    "a quote left open": '"Shop <a@a.test>',
    "an escaped quote before an address": '"x\\" <b@b.test>, \\"" <a@a.test>',
    "a quoted local part with @": '"b@b.test"@a.test',
    "two @": "b@b.test@a.test",
    "a quoted string after the address": 'a@a.test"x"',
    "a quoted string for a domain": 'a@"a.test"',
    "an address in a comment": "a@a.test (b@b.test)",
    "a nested comment": "a@a.test (b (c))",
    "an escaped parenthesis": "(\\) <b@b.test> (\\) a@a.test",
    "a comment left open": "a@a.test (b",
    "a comment inside the address": "a(b)@a.test",
    "folding inside the address": "a@a.\r\n test",
    "an encoded word as local part": "=?utf-8?q?b=40b.test=3E?=@a.test",
    "an encoded word in brackets": "<=?utf-8?q?b?=@a.test>",
    "a line end in an encoded word": "=?utf-8?Q?x=0D=0ABcc:_b=40b.test?= <a@a.test>",
    "a line end in base64": (
        f"=?utf-8?B?{base64.b64encode(b'x' + bytes([13, 10]) + b'Bcc: b').decode()}?= <a@a.test>"
    ),
    "a NUL in an encoded word": '"=?utf-8?q?=00?=" <a@a.test>',
    "broken base64": "=?utf-8?B?A?= <a@a.test>",
    "a new header line": "a@a.test\r\nBcc: b@b.test",
    "a bare LF": "a@a.test\n b",
    "a bare CR": "a@a.test\r b",
    "a NUL": "a\0@a.test",
    "NEL": "Shop\x85 <a@a.test>",
    "U+2028": "Shop\u2028 <a@a.test>",
    "a direction override": "Shop\u202e <a@a.test>",
    "an address literal": "a@[127.0.0.1]",
    "no domain": "<a>",
    "a single label": "a@localhost",
    "too long": "a" * 20_000 + " <a@a.test>",
}


@pytest.mark.parametrize("value", DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_two_readers_could_read_differently_is_refused(value):
    with pytest.raises(BadAddress) as caught:
        mailboxes(value)
    assert (caught.value.code, caught.value.enhanced) == (550, "5.6.0")


@pytest.mark.parametrize("charset", ["shift_jis", "iso-2022-jp", "euc-jp", "latin-1"])
def test_raw_bytes_of_a_legacy_charset_are_refused(charset):
    name = "Café" if charset == "latin-1" else "店舗"
    with pytest.raises(BadAddress):
        mailboxes(f"{name} <a@a.test>".encode(charset))


ODD = [
    "a@a.test",
    "<b@b.test>",
    '"c@c.test"',
    "=?utf-8?q?=",
    "?=",
    "=?",
    "\r\n",
    "\r\n ",
    "é",
    "\x85",
]
PIECES = st.sampled_from([*'a"\\.@ <>%!,:;()[]\t', *ODD])
VALUES = st.text(max_size=60) | st.lists(PIECES, max_size=25).map("".join)


@given(
    VALUES
    | VALUES.map(lambda value: value.encode("utf-8", "surrogatepass"))
    | st.binary(max_size=60)
)
def test_any_value_is_mailboxes_or_a_bad_address(value):
    try:
        found = mailboxes(value)
    except BadAddress:
        return
    assert found
    assert all("@" not in address.local for address in found)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_no_address_outside_quotes_and_encoded_words_is_overlooked(value):
    try:
        found = read(value)
    except BadAddress:
        return
    bare = [
        part for number, part in enumerate(value.replace('\\"', "").split('"')) if number % 2 == 0
    ]
    assert "".join(bare).count("@") <= len(found)


PATTERNS = [
    "a",
    '"',
    "(",
    "<",
    "\\",
    '\\"',
    ",",
    "a,",
    " ",
    "a@a.test,",
    "=?",
    "=?a?q?",
    "=?a?b?A",
    "()",
    '""',
    "\r\n ",
    "a@",
    ".",
]


@pytest.mark.parametrize("piece", PATTERNS)
def test_the_longest_value_is_judged_at_once(piece):
    def judge(size):
        for value in (
            piece * (size // 31 // len(piece)),
            '"' + piece * (size // 500),
            piece * size,
        ):
            with suppress(BadAddress):
                mailboxes(value)

    assert_in_proportion(judge, 500_000)
