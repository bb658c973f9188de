import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domains.foundation.text.addresses import Address, BadAddress, canonical_domain, parse_path
from tests.cost import assert_in_proportion


def parse(text, **options):
    return parse_path(text, **{"smtputf8": True} | options)


def refused(text, **options):
    with pytest.raises(BadAddress) as caught:
        parse(text, **options)
    return caught.value


LEGACY = [
    ("a..b@docomo.ne.jp", '"a..b"@docomo.ne.jp', "a..b@docomo.ne.jp"),
    ('"a..b"@docomo.ne.jp', '"a..b"@docomo.ne.jp', "a..b@docomo.ne.jp"),
    (".a@docomo.ne.jp", '".a"@docomo.ne.jp', ".a@docomo.ne.jp"),
    ("a.@ezweb.ne.jp", '"a."@ezweb.ne.jp', "a.@ezweb.ne.jp"),
    ('"A.-"@ezweb.ne.jp', "A.-@ezweb.ne.jp", "a.-@ezweb.ne.jp"),
]


@pytest.mark.parametrize(("text", "wire", "key"), LEGACY)
def test_a_legacy_address_is_sent_quoted_and_has_one_key(text, wire, key):
    address = parse(text, smtputf8=False)
    assert (address.wire, address.key) == (wire, key)


ACCEPTED = [
    ("user@A.Test", "user@a.test"),
    ("user@a.test.", "user@a.test"),
    ("u+tag=x@a.test", "u+tag=x@a.test"),
    ("Bob@a.test", "Bob@a.test"),
    ('"bob"@a.test', "bob@a.test"),
    ('"a b"@a.test', '"a b"@a.test'),
    (r'"a\"\\\b"@a.test', r'"a\"\\b"@a.test'),
    ('"<>"@a.test', '"<>"@a.test'),
    ("a@under_score.a.test", "a@under_score.a.test"),
    ("a@xn--r8jz45g.test", "a@xn--r8jz45g.test"),
    ("a@Bücher.test", "a@xn--bcher-kva.test"),
    ("a@例え。test", "a@xn--r8jz45g.test"),
    ("a@Ｅｘ.test", "a@ex.test"),
    ("用户@a.test", "用户@a.test"),
    ('"用 户"@a.test', '"用 户"@a.test'),
    ("x" * 64 + "@a.test", "x" * 64 + "@a.test"),
]


@pytest.mark.parametrize(("text", "wire"), ACCEPTED)
def test_a_good_address_is_written_in_its_shortest_form(text, wire):
    assert parse(text).wire == wire


MALFORMED = [
    "", "@", "a", "a@", "@a.test", "a@localhost", "a@a..test", "a@.a.test", "a@a.test..",
    "a@-a.test", "a@a-.test", "a b@a.test",
    " a@a.test", "a@a.test ", "a@a .test", "a@b@a.test", '"a@a.test', 'a"@a.test', '"a"b@a.test',
    '""@a.test', '" "@a.test',
    "..@a.test", '"a"b"@a.test', '"a\\"@a.test', "<a@a.test>", "a@[127.0.0.1]", "a@127.0.0.1",
    "a@a.1", "a(c)@a.test", "a,b@a.test",
    "a:b@a.test", "a@a/b.test", "a@a%b.test", "a@" + "x" * 64 + ".test", "x" * 65 + "@a.test",
    "a@" + "x." * 126 + "test",
    "あ" * 22 + "@a.test", "a@\u200b.test", "a@あ\u202e.test", "a@a＠b.test", "a@あ" * 2000,
]  # fmt: skip


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_address_is_refused(text):
    assert str(refused(text)).startswith("501 5.1.3 ")
    assert (refused(text, is_sender=True).code, refused(text, is_sender=True).enhanced) == (
        501,
        "5.1.7",
    )


@pytest.mark.parametrize("text", ["@a.test,@b.test:u@d.test", "@a.test:u@d.test"])
def test_source_routes_are_refused(text):
    assert "Source routes" in refused(text).text


@pytest.mark.parametrize(
    "char",
    [
        "\0",
        "\r",
        "\n",
        "\r\n",
        "\t",
        "\x1b",
        "\x7f",
        "\x85",
        "\u2028",
        "\u2029",
        "\u202e",
        "\ufeff",
        "\ud800",
    ],
)
def test_no_control_reaches_an_address(char):
    around = [
        "a{}b@a.test",
        '"a{}b"@a.test',
        '"a\\{}b"@a.test',
        "a@a{}b.test",
        "a@a.test{}",
        "{}a@a.test",
    ]
    assert {refused(text.format(char)).code for text in around} == {501}


def test_a_joiner_inside_a_word_is_kept():
    assert parse("می\u200cخواهم@a.test").needs_smtputf8


@pytest.mark.parametrize("text", ["用户@a.test", "a@例え.test", "\x85@a.test"])
def test_a_non_ascii_address_needs_smtputf8_declared(text):
    error = refused(text, smtputf8=False)
    assert (error.code, error.enhanced) == (553, "5.6.7")


def test_only_a_non_ascii_local_part_needs_smtputf8_from_the_next_host():
    assert parse("用户@a.test").needs_smtputf8
    assert not parse("a@例え.test").needs_smtputf8


SAME = [
    ("Bob@A.test", "bob@a.test."),
    ('"b\\ob"@a.test', "bob@a.test"),
    ("BÜCHER@a.test", "bücher@a.test"),
    ("caf\u00e9@a.test", "cafe\u0301@a.test"),
    ("a@BÜCHER.test", "a@xn--bcher-kva.test"),
    ("ΟΔΟΣ@a.test", "οδος@a.test"),
    ("οδοσ@a.test", "οδος@a.test"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_of_a_mailbox_have_one_key(one, other):
    assert parse(one).key == parse(other).key


def test_the_case_of_a_local_part_is_kept_for_sending():
    assert parse("BoB@a.test").wire == "BoB@a.test"


@pytest.mark.parametrize("text", ["u%d.test@a.test", "d.test!u@a.test", '"u@d.test"@a.test'])
def test_a_second_destination_in_the_local_part_is_noticed(text):
    assert parse(text).is_relay_trick


@pytest.mark.parametrize("text", ["u@a.test", "bounce+u=d.test@a.test", "a..b@docomo.ne.jp"])
def test_an_ordinary_local_part_is_no_relay_trick(text):
    assert not parse(text).is_relay_trick


LITERALS = [("a@[192.0.2.1]", "[192.0.2.1]"), ("a@[ipv6:2001:DB8:0::1]", "[IPv6:2001:db8::1]")]


@pytest.mark.parametrize(("text", "domain"), LITERALS)
def test_an_address_literal_is_taken_only_where_allowed(text, domain):
    assert refused(text)
    assert parse(text, allow_literal=True).domain == domain


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "a",
        "1.2.3",
        "01.2.3.4",
        "IPv6:",
        "IPv6:fe80::1%eth0",
        "::1",
        "IPv6:1.2.3.4",
        "x:y",
        "1.2.3.4][",
    ],
)
def test_a_broken_literal_is_refused(inside):
    for text in (f"a@[{inside}]", f"a@[{inside}"):
        assert refused(text, allow_literal=True).code == 501


def test_the_whole_path_is_at_most_256_octets():
    fits = "a@" + ".".join(["x" * 63] * 3) + "." + "y" * 60
    assert len(parse(fits).wire) == 254
    assert "too long" in refused("b" + fits).text
    assert "too long" in refused("." + fits[:-1]).text  # as it is sent, with its quotes
    assert "too long" in refused("a@" + ("é" * 40 + ".") * 5 + "test").text


def test_a_refusal_repeats_nothing_of_the_address():
    assert "evil" not in str(refused("evil\r\nevil@evil"))


ODD = [
    "test",
    ".test",
    "@a.test",
    "\r\n",
    "\0",
    "é",
    "用",
    "İ",
    "ß",
    "ſ",
    "\u0345",
    "。",
    "xn--",
    "＠",
]
PIECES = st.lists(st.sampled_from([*'a"\\.@ <>%!,:;()[]-_', *ODD]), max_size=20).map("".join)
ANYTHING = st.text(max_size=80) | PIECES | PIECES.map(lambda local: local + "@a.test")


@given(ANYTHING, st.booleans(), st.booleans())
def test_any_text_is_an_address_or_a_bad_address(text, smtputf8, allow_literal):
    try:
        address = parse_path(text, smtputf8=smtputf8, allow_literal=allow_literal)
    except BadAddress:
        return
    assert address.wire.isprintable() or "\u200c" in address.wire or "\u200d" in address.wire
    assert len(address.wire.encode()) <= 254
    assert smtputf8 or address.wire.isascii()
    assert address.domain.isascii()
    assert address.domain == address.domain.lower() or allow_literal


@given(ANYTHING)
@example("ΐ@a.test")
@example("\u1fd3x@a.test")
def test_what_is_sent_reads_back_as_the_same_mailbox_with_one_key(text):
    try:
        address = parse(text)
    except BadAddress:
        return
    assert parse(address.wire) == address
    assert unicodedata.is_normalized("NFC", address.key)
    assert Address(address.key.rpartition("@")[0], address.domain).key == address.key


@given(st.text(max_size=40) | ANYTHING)
def test_a_canonical_domain_stays_as_it_is(text):
    try:
        domain = canonical_domain(text)
    except BadAddress:
        return
    assert canonical_domain(domain) == domain == domain.lower()


@pytest.mark.parametrize(
    "piece", ["a", ".", '"', "\\", '\\"', "a.", "a-", "@", "é", "\u0301", "xn--", "<", " "]
)
def test_a_megabyte_is_judged_at_once(piece):
    def judge(size):
        for text in (
            piece * size,
            f'"{piece * size}"@a.test',
            "a@" + piece * size,
            "a@é" + piece * 120 + ".test",
        ):
            with pytest.raises(BadAddress):
                parse(text)
        with pytest.raises(BadAddress):
            canonical_domain(piece * size)

    assert_in_proportion(judge, 500_000)
