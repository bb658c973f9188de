"""The pages about what receivers ask for."""

import pytest
from django.utils import timezone

from deliveries.authentication import demands
from deliveries.models import ReceiverDemand
from domains.models import AuditEntry, Domain, DomainReport
from tests.deliveries import make

PAGE = "/demands/"


@pytest.fixture
def domain(operator):
    demands.sync()
    domain = Domain.objects.create(project=make.project(), name="shop9.test", token="t")
    given = {"name": "shop9.test"}
    mail = [{"subject": "dmarc", "slip": "dmarc-none", "state": "fail", "given": given}]
    DomainReport.objects.create(domain=domain, checked_at=timezone.now(), report={"mail": mail})
    return domain


def test_the_page_says_of_each_demand_whether_the_domain_meets_it(operator, domain):
    text = operator.get(PAGE, {"domain": "shop9.test"}).text
    assert "Not met" in text and "Cannot tell" in text and "topics_240522_00.pdf" in text
    assert "There is no such domain" in operator.get(PAGE, {"domain": "other.test"}).text


def test_the_page_speaks_japanese(operator, domain):
    operator.post("/language/", {"language": "ja"})
    text = operator.get(PAGE, {"domain": "shop9.test"}).text
    assert "満たしていない" in text and "受信側の要件への対応" in text


def test_a_demand_is_changed_and_put_back(operator, domain):
    row = ReceiverDemand.objects.get(name="yahoo-complaints-0-3")
    form = {
        "limit": "0.2", "asked_from": "0", "source": row.source, "read_on": "2026-11-29",
        "is_asked": "on", "since": "2024-02-01",
    }  # fmt: skip
    operator.post(f"/deliveries/receiverdemand/{row.pk}/change/", form)
    row.refresh_from_db()
    assert (row.limit, row.is_edited) == (0.2, True)
    operator.post(f"/deliveries/receiverdemand/{row.pk}/do/reset/")
    row.refresh_from_db()
    assert (row.limit, row.is_edited) == (0.3, False)
    entries = AuditEntry.objects.filter(object_type="deliveries.receiverdemand")
    assert set(entries.values_list("action", flat=True)) == {"change", "reset"}


def test_a_domains_records_are_on_one_page_to_print(operator, domain):
    change = operator.get(f"/domains/domain/{domain.pk}/change/").text
    place = f"/domains/domain/{domain.pk}/print/"
    assert place in change
    text = operator.get(place).text
    assert "_dmarc.shop9.test" in text and "relay_portal/print.css" in text
    assert operator.get("/domains/domain/0/print/").status_code == 404
