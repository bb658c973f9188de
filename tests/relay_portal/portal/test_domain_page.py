"""What the page of a sending domain shows of receivers' reports."""

import pytest
from django.utils import timezone

from domains.models import Domain
from domains.reporting import aggregate, keeping
from domains.senders import report_address
from tests.deliveries import make
from tests.domains.reporting.reports import record, xml

pytestmark = pytest.mark.django_db


@pytest.fixture
def domain():
    return Domain.objects.create(project=make.project(), name="shop.test", token="t")


def page_of(operator, domain):
    return operator.get(f"/domains/domain/{domain.pk}/change/").text


def test_it_shows_reports_by_day_and_who_sends(operator, domain):
    stranger = record("198.51.100.9", 2, dkim="fail", disposition="reject")
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    begin = int(midnight.timestamp()) - 86_400
    report = aggregate.read([xml(record(count=41), stranger, begin=begin)])
    keeping.keep(domain, report, ours={"192.0.2.1"})
    text = page_of(operator, domain)
    day = report.begins_at.date()
    assert f"<td>{day}</td><td>41</td><td>41</td><td>2</td><td>0</td>" in text
    assert "198.51.100.9" in text and "192.0.2.1 (ours)" in text


def test_without_reports_it_says_where_they_go(operator, domain):
    text = page_of(operator, domain)
    assert report_address.address(domain.pk) in text and "*._report._dmarc." in text
