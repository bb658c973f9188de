"""Addresses are masked in text, HTML, URLs and CSV; what is plain stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.foundation.text.masking import DOTS, addresses_in, key_of, masked
from tests.cost import assert_in_proportion

HANA, SHOWN = "hana.ko@docomo.ne.jp", f"h{DOTS}o@docomo.ne.jp"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HANA, SHOWN),
        ("a@x.test", f"{DOTS}@x.test"),
        ("bob@x.test", f"b{DOTS}@x.test"),
        (f"550 <{HANA}>: gone", f"550 <{SHOWN}>: gone"),
        (f"&lt;{HANA}&gt;", f"&lt;{SHOWN}&gt;"),
        (f'<a href="mailto:{HANA}">', f'<a href="mailto:{SHOWN}">'),
        ("?q=hana.ko%40docomo.ne.jp&p=1", "?q=h%E2%80%A2%E2%80%A2%E2%80%A2o%40docomo.ne.jp&p=1"),
        ("o&#x27;brien@x.test", f"o{DOTS}n@x.test"),
        ("r&amp;d-team@x.test", f"r{DOTS}m@x.test"),
        ('"hana ko"@x.test', f"h{DOTS}o@x.test"),
        ("&quot;hana ko&quot;@x.test", f"h{DOTS}o@x.test"),
        ("hana..ko.@docomo.ne.jp", f"h{DOTS}.@docomo.ne.jp"),
        ("はな子さん@例え.jp", f"は{DOTS}ん@例え.jp"),
        ("hana@[192.0.2.1]", f"h{DOTS}a@[192.0.2.1]"),
        (f"{HANA},{HANA};{HANA}", f"{SHOWN},{SHOWN};{SHOWN}"),
        ("to=hana@x.test", f"t{DOTS}a@x.test"),
        ("@docomo.ne.jp and @ alone, a@, x @ y", "@docomo.ne.jp and @ alone, a@, x @ y"),
        ("@media (width: 1px) { }", "@media (width: 1px) { }"),
    ],
)
def test_an_address_is_masked_wherever_it_stands(text, expected):
    assert masked(text) == expected


@pytest.mark.parametrize(
    "text", [HANA, f"<{HANA}>", f"?q={HANA.replace('@', '%40')}", f"to={HANA}"]
)
def test_a_plain_one_stays_as_it_is(text):
    assert masked(text, {HANA}.__contains__) == text
    assert masked(text, {f"x{HANA}"}.__contains__) != text


def test_what_was_typed_is_compared_in_its_canonical_form():
    found = addresses_in("Hana.KO@DoCoMo.ne.jp, x@y.test")
    assert {key_of("Hana.KO@docomo.ne.jp"), "x@y.test"} <= {*found}


@given(st.from_regex(r"\A[a-z0-9.+_'/=?{}|-]{4,40}\Z"), st.text(max_size=20))
def test_no_local_part_gets_through(local, around):
    assert f"{local}@x.test" not in masked(f"{around} {local}@x.test {around}")


@pytest.mark.parametrize("unit", ["a@", "x", "a%40", "&amp;"])
def test_long_text_costs_no_more_than_its_length(unit):
    assert_in_proportion(lambda size: masked(unit * size), 40_000)
