import pytest

from deliveries.search.inputs import ClueKind, understood

ID = "019ac3f0-1c2d-7abc-8def-0123456789ab"
PATH = "b-" + "a2" * 21

BOUNCE = f"""Delivered-To: {PATH}@relay.example
Final-Recipient: rfc822; unknown-user+9@docomo.test
Action: failed
Diagnostic-Code: smtp; 550 5.1.1 User unknown
Message-ID: <20261129.1@shop.example>
"""


def told(text):
    meant = understood(text)
    return [(clue.kind.value, clue.value) for clue in (*meant.exact, *meant.loose)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (ID, [("id", ID)]),
        (f"250 2.0.0 OK queued as {ID.upper()}", [("id", ID)]),
        (ID[:8], [("beginning", ID[:8]), ("words", ID[:8])]),
        (ID[:20], [("beginning", ID[:20]), ("words", ID[:20])]),
        ("<Hanako@docomo.test>", [("message_id", "Hanako@docomo.test"),
            ("address", "hanako@docomo.test")]),
        ("@Docomo.test", [("domain", "docomo.test")]),
        ("日本語.jp", [("domain", "xn--wgv71a119e.jp")]),
        ("hanako", [("words", "hanako")]),
        ("Your order 4711", [("words", "Your order 4711")]),
        ("ご注文の確認", [("words", "ご注文の確認")]),
        (f"{PATH}@relay.example", [("return_path", PATH)]),
        ("Message-ID: <1@shop.example>", [("message_id", "1@shop.example"),
            ("address", "1@shop.example")]),
        (BOUNCE, [("return_path", PATH), ("message_id", "20261129.1@shop.example"),
            ("address", "unknown-user+9@docomo.test")]),
    ],
)  # fmt: skip
def test_an_input_is_taken_for_what_it_is(text, expected):
    assert told(text) == expected


def test_of_a_long_text_a_dozen_clues_are_followed():
    text = " ".join(f"user{number}@docomo.test" for number in range(1000))
    meant = understood(text)
    assert (len(meant.exact), len(meant.loose)) == (12, 12)
    assert {clue.kind for clue in meant.loose} == {ClueKind.ADDRESS}


def test_a_long_text_without_a_name_is_read_in_its_own_length():
    assert understood("a" * 65_536).exact == understood("a." * 32_768 + ":").exact == ()
