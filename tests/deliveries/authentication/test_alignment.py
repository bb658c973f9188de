"""What aligns with From, by the record that the last check found."""

import pytest

from deliveries.authentication.alignment import Author, verdict
from domains.identity.dmarc import parsed

SHOP = Author("shop.test")


@pytest.mark.parametrize(
    ("author", "identity", "expected"),
    [
        ("shop.test", "shop.test", "same"),
        ("shop.test", "mail.shop.test", "near"),
        ("mail.shop.test", "shop.test", "near"),
        ("shop.test", "op.test", "apart"),
        ("shop.test", "otherworkshop.test", "apart"),
        ("shop.test", "test", "apart"),
        ("shop.test", "", "apart"),
        ("", "shop.test", "apart"),
    ],
)
def test_a_name_is_the_same_near_or_apart(author, identity, expected):
    assert Author(author).degree(identity, "adkim") == expected


def test_a_sibling_is_near_where_the_project_has_the_domain_above_both():
    assert Author("news.shop.test").degree("rp.shop.test", "aspf") == "apart"
    assert Author("news.shop.test", "shop.test").degree("rp.shop.test", "aspf") == "near"


def test_a_strict_record_takes_the_same_name_alone():
    strict = Author("shop.test", "shop.test", parsed("shop.test", "v=DMARC1; p=reject; aspf=s"))
    assert strict.degree("rp.shop.test", "aspf") == "apart"
    assert strict.degree("mail.shop.test", "adkim") == "near"
    assert strict.degree("shop.test", "aspf") == "same"


def test_the_policy_for_a_name_below_is_that_of_subdomains():
    record = parsed("shop.test", "v=DMARC1; p=none; sp=reject")
    assert Author("shop.test", "shop.test", record).policy == "none"
    assert Author("news.shop.test", "shop.test", record).policy == "reject"
    assert SHOP.policy == ""


@pytest.mark.parametrize(
    ("signatures", "paths", "expected"),
    [
        (["same"], ["near"], "both"),
        (["apart", "near"], ["apart"], "signature"),
        (["same"], ["near", "apart"], "signature"),
        (["same"], [], "signature"),
        ([], ["same"], "return_path"),
        (["apart"], [], "none"),
        (["apart"], ["apart"], "none"),
    ],
)
def test_dmarc_rests_on_what_aligns(signatures, paths, expected):
    assert verdict(signatures, paths) == expected
