import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.foundation.text.addresses import BadAddress
from domains.foundation.text.mailboxes import addresses_in_names, mailboxes
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


def word(charset, data, encoding="B"):
    payload = (
        base64.b64encode(data).decode()
        if encoding == "B"
        else "".join(f"={byte:02X}" for byte in data)
    )
    return f"=?{charset}?{encoding}?{payload}?="


@pytest.mark.parametrize("encoding", ["B", "Q"])
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize(
    ("charset", "name", "found"),
    [
        ("utf-8", "a\x1b[2Jb", "ESC (U+001B)"),
        ("UTF-8*ja", "a\x1bb", "ESC (U+001B)"),
        ("utf-8", "a\u2028b", "line separator (U+2028)"),
        ("utf-8", "a\u2029b", "paragraph separator (U+2029)"),
        ("utf-8", "a\x85b", "NEL (U+0085)"),
        ("utf-8", "a\x9b31m", "CSI (U+009B)"),
        ("iso-8859-2", "a\x9b31m", "CSI (U+009B)"),
        ("latin-1", "a\x1b[31m", "ESC (U+001B)"),
        ("us-ascii", "a\x0b", "VT (U+000B)"),
        ("utf-8", "a\u202eb", "right-to-left override (U+202E)"),
        ("utf-8", "a\u2066b", "left-to-right isolate (U+2066)"),
        ("utf-16-le", "a\u202eb", "right-to-left override (U+202E)"),
        ("utf-7", "a\u202eb", "right-to-left override (U+202E)"),
        ("shift_jis", "店\x1b[2J", "ESC (U+001B)"),
        ("iso-2022-jp", "店\x0c", "FF (U+000C)"),
    ],
)
def test_an_encoded_word_that_hides_a_control_is_refused(charset, name, found, quote, encoding):
    encoded = word(charset, name.encode(charset.partition("*")[0]), encoding)
    with pytest.raises(BadAddress) as caught:
        mailboxes(f"{quote}{encoded}{quote} <a@a.test>")
    assert caught.value.text == f"An encoded word hides a control character: {found}"


def test_a_control_split_over_two_words_is_found():
    first, second = word("utf-8", b"a\xe2\x80"), word("utf-8", b"\xa8b")
    with pytest.raises(BadAddress, match="U\\+2028"):
        mailboxes(f"{first}\r\n {second} <a@a.test>")


@pytest.mark.parametrize(
    "charset", ["none-such", "x-sjis-2", "unicode_escape", "hex", "", "undefined", "utf-8\u00e9"]
)
def test_an_unknown_charset_is_judged_by_its_low_bytes(charset):
    assert read(f"{word(charset, bytes([0x93, 0xFA, 0x85]))} <a@a.test>") == ["a@a.test"]
    with pytest.raises(BadAddress, match="VT"):
        mailboxes(f"{word(charset, bytes([0x93, 0xFA, 0x0B]))} <a@a.test>")


@pytest.mark.parametrize("encoding", ["B", "Q"])
@pytest.mark.parametrize(
    "charset",
    ["utf-8", "shift_jis", "cp932", "euc-jp", "iso-2022-jp", "iso-2022-jp-2004", "gb18030"],
)
def test_an_encoded_japanese_name_is_taken(charset, encoding):
    for name in ("表示ソ能ポ", "ご注文の店　舗\t支店", "カナ"):
        assert read(f"{word(charset, name.encode(charset), encoding)} <a@a.test>") == ["a@a.test"]


@pytest.mark.parametrize("mark", ["\u200e", "\u200f", "\u061c", "\u200d", "\u200b"])
def test_an_encoded_name_may_have_the_marks_of_its_script(mark):
    assert read(f"{word('utf-8', f'متجر{mark}'.encode())} <a@a.test>") == ["a@a.test"]


@pytest.mark.parametrize("data", [b"\x1b(I1\x1b(B", b"\x1b$B-!\x1b(B", b"\x1b$BF|\x1b(J a"])
def test_iso_2022_jp_beyond_its_standard_is_taken(data):
    assert read(f"{word('ISO-2022-JP', data)} <a@a.test>") == ["a@a.test"]


def test_windows_1252_is_taken_under_its_own_name():
    assert read(
        f"{word('windows-1252', b'Joe' + bytes([0x92]) + b's Shop' + bytes([0x85]), 'Q')} "
        "<a@a.test>"
    ) == ["a@a.test"]


@pytest.mark.parametrize("encoding", ["B", "Q"])
@pytest.mark.parametrize("charset", ["iso-8859-1", "latin1", "us-ascii", "ISO-8859-1*fr"])
@pytest.mark.parametrize("code", range(0x7F, 0xA0))
def test_no_control_above_127_hides_in_latin_1(charset, encoding, code):
    with pytest.raises(BadAddress, match=rf"U\+00{code:02X}"):
        mailboxes(f"{word(charset, bytes([0x43, 0xE9, code]), encoding)} <a@a.test>")


@pytest.mark.parametrize("code", [0x7F, 0x81, 0x8D, 0x8F, 0x90, 0x9D])
def test_the_bytes_that_windows_1252_leaves_free_are_controls(code):
    with pytest.raises(BadAddress, match=rf"U\+00{code:02X}"):
        mailboxes(f"{word('cp1252', bytes([code]))} <a@a.test>")


def named(value):
    mailboxes(value)  # it is asked of what has passed
    return addresses_in_names(value.encode())


@pytest.mark.parametrize(
    "name",
    [
        '"boss@bank.test"', '"Boss (boss@bank.test) via Shop"', "=?utf-8?q?boss=40bank.test?=",
        '"=?utf-8?q?boss=40bank.test?="',
        "=?utf-8?q?boss=40?= =?us-ascii?q?bank.test?=", ("=?utf-8?q?boss?=\r\n "
            "=?utf-8?q?=40bank.test?="), '"BOSS@Bank.Test."',
        word("utf-8", "boss＠bank．test".encode()),
        word("utf-8", "boss\u200b@ba\u2060nk.test".encode()), '"boss＠bank。test"',
        word("iso-2022-jp", "boss＠ｂank.test".encode("iso-2022-jp")),
        word("x-none", b"boss@bank.test"), r'"boss\@bank\.test"',
        "=?utf-8?q?Mail_boss=40bank.test_via_Shop?=", "Boss (=?utf-8?q?boss=40bank.test?=)",
        '"<boss@bank.test>"', '"Mail=boss@bank.test,"',
    ],
)  # fmt: skip
def test_an_address_in_a_name_is_found_however_it_is_written(name):
    [(address, domain)] = named(f"{name} <a@a.test>")
    assert (address.rpartition("=")[2], domain) == ("boss@bank.test", "bank.test")


@pytest.mark.parametrize(
    "name",
    [
        "Shop",
        '"Meet @ noon"',
        '"Sold 2@1.99"',
        '"@shop.test"',
        '"Shop @home"',
        '"a@b"',
        "(Cron)",
        '"店 @ 日本"',
    ],
)
def test_a_name_with_no_address_has_none(name):
    assert named(f"{name} <a@a.test>") == []


def test_addresses_in_the_names_of_all_mailboxes_are_found():
    assert [domain for _, domain in named('"a@a.test" <b@b.test>, "c@日本.test" <d@d.test>')] == [
        "a.test",
        "日本.test",
    ]


@pytest.mark.parametrize("piece", ["a", "a@", "@", "a.", "a@a.", "店", "=?a?q?=40?= "])
def test_the_addresses_in_a_long_name_are_found_in_linear_time(piece):
    def judge(size):
        value = ('"' + piece * (size // len(piece)) + '" <a@a.test>').encode()
        addresses_in_names(value)

    assert_in_proportion(judge, 100_000)
