"""One idea of a control character and of a line end."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.foundation.text import texts

EVERY = list(map(chr, range(0x110000)))
ANY = st.text(st.characters(codec=None))
WITH_TRICKS = st.text(
    st.sampled_from('ab= <>"\\\r\n\t\x00\x0b\x0c\x1b\x85\x9b\u2028\u202e\ud800\U000e0041あ\u200d'),
    max_size=30,
)


@pytest.mark.parametrize("category", ["Cc", "Cs", "Zl", "Zp"])
def test_a_whole_category_is_controls(category):
    assert all(texts.is_control(char) for char in EVERY if unicodedata.category(char) == category)


def test_whatever_turns_the_direction_of_writing_is_a_control():
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    marks = {"\u061c", "\u200e", "\u200f"}
    assert all(
        texts.is_control(char)
        for char in EVERY
        if unicodedata.bidirectional(char) in turning or char in marks
    )


@pytest.mark.parametrize("char", "\u00ad\u200b\u2060\ufeff\ufff9\u3164\U000e0041")
def test_what_is_invisible_and_means_nothing_is_a_control(char):
    assert texts.is_control(char)


@pytest.mark.parametrize("char", " a~é\u00a0\u3000あ漢\u200c\u200d\ufe0f\U000e0100\U0001f600\ufffd")
def test_what_words_are_written_with_is_none(char):
    assert not texts.is_control(char)
    assert texts.clean(char) == char


@given(ANY | WITH_TRICKS)
def test_clean_text_holds_no_control_and_is_one_line(text):
    cleaned = texts.clean(text)
    assert not any(map(texts.is_control, cleaned))
    assert len(cleaned.splitlines()) <= 1
    assert texts.clean(cleaned) == cleaned


@given(ANY | WITH_TRICKS)
def test_clean_lines_hold_no_control_but_their_ends_and_tabs(text):
    cleaned = texts.clean_lines(text)
    assert not any(map(texts.is_control, cleaned.replace("\n", "").replace("\t", "")))
    assert cleaned.splitlines() == texts.lines(cleaned)


def test_a_control_is_shown_not_removed():
    assert texts.clean("a\x00b\n\u202e\x9b\U000e0041") == r"a\u0000b\n\u202e\u009b\udb40\udc41"


def test_lines_are_what_mail_and_files_call_lines():
    assert texts.lines("a\r\nb\nc\rd\x0be\x85f\u2028g\n") == ["a", "b", "c", "d\x0be\x85f\u2028g"]
    assert texts.lines("") == []
    assert texts.lines("\n") == [""]


def test_one_line_is_cut_after_its_escapes():
    assert texts.one_line("a \n\t b\x00", 20) == r"a b\u0000"
    assert texts.one_line("a\x00b", 3) == "a\\u"


@given(ANY | WITH_TRICKS)
def test_storable_text_is_utf8_without_nul(text):
    assert b"\0" not in texts.storable(text).encode()
    assert len(texts.storable(text)) == len(text)


@pytest.mark.parametrize(
    "text", ["<a@b.test>", "2.0.0", "-", "<r+user=b.test@c.test>", "https://a.test/?p=B", "あ"]
)
def test_a_plain_value_stands_without_quotes(text):
    assert texts.quoted(text) == text


@given(ANY | WITH_TRICKS)
def test_a_value_is_read_back_as_it_was(text):
    shown = texts.quoted(text)
    if not shown.startswith('"'):
        assert shown == text
    elif not any(
        "\ud800" <= char <= "\udfff" for char in text
    ):  # two lone surrogates are a pair to JSON
        assert json.loads(shown) == text


@given(
    st.lists(
        ANY
        | WITH_TRICKS
        | st.sampled_from(["a event=delivered", "event=x", '" event=delivered x="', "\\"]),
        min_size=1,
    )
)
def test_nothing_in_a_value_begins_a_field_or_a_line(values):
    line = " ".join(f"key={texts.quoted(value)}" for value in values)
    assert not any(map(texts.is_control, line))
    assert " event=" not in line
    assert len(fields(line)) == len(values)


def fields(line):
    """Read the documented format: key=value, the value bare or a JSON string."""
    found, decoder = [], json.JSONDecoder()
    while line:
        key, _, rest = line.partition("=")
        assert key == "key"
        if rest.startswith('"'):
            value, end = decoder.raw_decode(rest)
        else:
            value = rest.partition(" ")[0]
            end = len(value)
        found.append(value)
        assert rest[end : end + 1] in ("", " ")
        line = rest[end + 1 :]
    return found


@pytest.mark.parametrize(
    "charset",
    [
        "shift_jis",
        "cp932",
        "euc_jp",
        "iso2022_jp",
        "iso2022_jp_2004",
        "utf-8",
        "gb18030",
        "big5",
        "euc_kr",
    ],
)
@pytest.mark.parametrize(
    "text", ["ご注文の確認", "表示ソ能\tポ", "㈱" * 3, "ﾂﾃ半角", "plain", "Order"]
)
def test_a_field_in_a_charset_of_mail_has_no_control(charset, text):
    value = text.encode(charset, "ignore")
    assert texts.field_control(value) == ""
    for low in b"\x00\x01\x08\x0a\x0b\x0c\x0d\x0e\x1a\x1c\x7f":
        assert f"U+{low:04X}" in texts.field_control(value + bytes([low]))
        assert texts.may_hold_control(value + bytes([low])) or low in b"\r\n"


def test_every_two_bytes_of_japanese_charsets_pass():
    for charset in ("cp932", "euc_jp"):
        for code in range(0x3041, 0x9FA0):
            value = chr(code).encode(charset, "ignore")
            assert texts.field_control(value) == "", hex(code)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"a\x0bFrom: b", "VT (U+000B)"),
        (b"a\x0cb", "FF (U+000C)"),
        (b"a\x1b[31m", "ESC (U+001B)"),
        ("日\x1b$B".encode(), "ESC (U+001B)"),
        (b"\x93\xfa\x1b$B", "ESC (U+001B)"),
        (b"a\x1b", "ESC (U+001B)"),
        ("a\x85b".encode(), "NEL (U+0085)"),
        ("a\x9b31m".encode(), "CSI (U+009B)"),
        ("a\x90".encode(), "U+0090"),
        ("日\u2028b".encode(), "line separator (U+2028)"),
        (b"\xff \xe2\x80\xa8From: b", "line separator (U+2028)"),
        (b"\xe2\x80\xa9From: b\xff", "paragraph separator (U+2029)"),
        (b"\xff\xc2\x85From: b", "NEL (U+0085)"),
        ("日\u2029b".encode(), "paragraph separator (U+2029)"),
        ("مرحبا\u200f\u202e".encode(), ""),
        (b"\x1b$BF|K\\\x1b(B \x1b(I1\x1b(B", ""),
    ],
)
def test_a_control_in_a_field_is_named(value, found):
    assert texts.field_control(value) == found
    assert not found or texts.may_hold_control(value)


@given(st.binary(max_size=40))
def test_the_quick_look_overlooks_nothing(value):
    value = value.replace(b"\r", b"").replace(b"\n", b"")
    assert texts.may_hold_control(value) or not texts.field_control(value)
