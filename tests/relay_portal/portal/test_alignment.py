"""A message's page says what its signature and return path prove, and what DMARC rests on."""

import pytest

from deliveries.message import compression
from deliveries.models import Attempt, Content
from domains.models import Domain
from tests.deliveries import make

pytestmark = pytest.mark.django_db
FIELD = b"DKIM-Signature: v=1; a=rsa-sha256; d=%b; s=e1; h=from; bh=eA==; b=eA==\r\n"
DMARC = {"purpose": "dmarc", "name": "_dmarc.shop.test", "type": "TXT", "value": "v=DMARC1; p=none"}


@pytest.fixture
def shop():
    return make.project(name="shop")


def page_of(browser, shop, *, signer=b"", path="", author="shop@shop.test", kept=True, **given):
    row = make.message(shop, header_from=author, **given)
    data = (FIELD % signer if signer else b"") + make.CONTENT
    Content.objects.filter(pk=row.pk).update(data=compression.compress(data, (), size=len(data)))
    delivery = make.delivery(of=row)
    if path:
        said = {"outcome": "delivered", "stage": "data", "return_path": path}
        Attempt.objects.create(delivery=delivery, **said)
    if not kept:
        Content.objects.filter(pk=row.pk).delete()
    return browser.get(f"/deliveries/message/{row.pk}/change/").text


def test_both_align(operator, shop):
    page = page_of(operator, shop, signer=b"shop.test", path="rp.shop.test")
    assert "aligns with From: the same name" in page and "aligns with From (relaxed)" in page
    assert "Signature and return path align" in page


def test_our_own_return_path_leaves_dmarc_to_the_signature(operator, shop):
    page = page_of(operator, shop, signer=b"shop.test", path="relay.test")
    assert "does not align with From" in page and "It rests on the signature alone" in page


def test_a_foreign_signature_leaves_it_to_spf(operator, shop):
    page = page_of(operator, shop, signer=b"other.test", path="rp.shop.test")
    assert "It rests on SPF alone" in page


def test_what_is_not_signed_says_so_and_names_the_policy(operator, shop, verified_shop):
    page = page_of(operator, shop, path="relay.test")
    assert "not signed" in page and "Neither aligns" in page
    assert "The policy of shop.test is reject." in page


def test_a_strict_policy_of_the_domain_is_heeded(operator, shop, verified_shop):
    page = page_of(operator, shop, signer=b"shop.test", path="rp.shop.test")
    assert "aligns with From (relaxed)" not in page and "It rests on the signature alone" in page


def test_before_the_first_attempt_the_return_path_is_open(operator, shop):
    page = page_of(operator, shop, signer=b"shop.test")
    assert "No host has been told a return path yet." in page


def test_what_is_kept_no_longer_is_not_called_unsigned(operator, shop):
    page = page_of(operator, shop, path="rp.shop.test", kept=False)
    assert "not signed" not in page and "The signatures are kept no longer." in page


def test_an_empty_return_path_is_told(operator, shop):
    page = page_of(operator, shop, signer=b"shop.test", mail_from="")
    assert "SPF is about the EHLO name" in page


@pytest.fixture
def verified_shop(shop):
    from django.utils import timezone

    found = {**DMARC, "found": ["v=DMARC1; p=reject; aspf=s"]}
    return Domain.objects.create(
        project=shop, name="shop.test", token="t", verified_at=timezone.now(), findings=[found]
    )
