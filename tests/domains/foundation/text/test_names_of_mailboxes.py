"""The names beside addresses: encoded words, what they hide, and addresses in them."""

import base64

import pytest

from domains.foundation.text.addresses import BadAddress
from domains.foundation.text.mailboxes import addresses_in_names, mailboxes
from tests.cost import assert_in_proportion
from tests.domains.foundation.text.test_mailboxes import read


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
