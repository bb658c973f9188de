"""One page with a domain's records, for the person who runs its DNS."""

import re

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from domains.models import Domain, DomainReport, Project
from domains.senders.keys import make_key
from domains.senders.verification import required_records
from tests.commands import ekiden

pytestmark = pytest.mark.django_db


@pytest.fixture
def domain(settings, tmp_path):
    settings.EKIDEN_DATA, settings.EKIDEN_HOSTNAME = tmp_path, "relay.test"
    project = Project.objects.create(name="shop")
    domain = Domain.objects.create(project=project, name="shop.test", token="t")
    make_key(domain)
    return domain


def page(*more):
    return ekiden("domain", "show", "shop.test", "--page", "-", *more)


def test_each_record_stands_there_with_its_name_and_whole_value(domain):
    text = page()
    for record in required_records(domain):
        assert f"<code>{record.name}</code>" in text and f"<code>{record.value}</code>" in text
    assert "in a panel: _dmarc" in text and "in a panel: @" in text


def test_what_was_found_stands_beside_what_is_wanted(domain):
    [wanted] = [each for each in required_records(domain) if each.purpose == "spf"]
    seen = {
        "purpose": "spf", "name": wanted.name, "type": "TXT", "value": wanted.value,
        "state": "wrong", "text": "x", "slip": "", "given": {}, "found": ["v=spf1 <b> -all"],
        "have": 1, "of": 3, "servers": [],
    }  # fmt: skip
    DomainReport.objects.create(
        domain=domain, checked_at=timezone.now(), report={"records": [seen]}
    )
    text = page()
    assert "v=spf1 &lt;b&gt; -all" in text and "1 of 3 have it" in text and "<b>" not in text


def test_the_file_needs_no_other_and_speaks_japanese(domain, tmp_path):
    place = tmp_path / "page.html"
    said = ekiden("domain", "show", "shop.test", "--page", str(place), "--language", "ja")
    text = place.read_text(encoding="utf-8")
    assert str(place) in said and '<html lang="ja">' in text and "DNS レコード" in text
    assert "@page" in text and not re.search(r"(src|href)=", text)


def test_a_place_that_cannot_be_written_is_told(domain, tmp_path):
    with pytest.raises(CommandError, match="cannot be written"):
        ekiden("domain", "show", "shop.test", "--page", str(tmp_path))


def test_the_portal_has_the_page_for_those_who_see_the_domain(domain, client):
    assert client.get(f"/domains/domain/{domain.pk}/print/").status_code in (302, 403)
