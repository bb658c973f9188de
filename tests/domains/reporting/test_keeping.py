"""What a report says is kept once, and added up by day."""

import pytest

from domains.models import DmarcCount, DmarcReport, Domain, Project
from domains.reporting import aggregate, keeping, summary
from domains.senders import report_address
from domains.senders.verification import required_records
from tests.commands import ekiden, ekiden_json
from tests.domains.reporting.reports import BEGIN, record, xml

pytestmark = pytest.mark.django_db
OURS = {"192.0.2.1"}


@pytest.fixture
def domain():
    return Domain.objects.create(
        project=Project.objects.create(name="shop"), name="shop.test", token="t"
    )


def keep(of, *records, **given):
    return keeping.keep(of, aggregate.read([xml(*records, **given)]), ours=OURS)


def test_ours_and_others_are_counted_by_day(domain):
    keep(domain, record(count=5), record("198.51.100.9", 2, dkim="fail", disposition="reject"))
    keep(domain, record(count=1), id="18", organization="other.test")
    keep(domain, record(count=9), id="19", begin=BEGIN + 86_400)
    second, first = summary.summary(domain, days=10_000)["days"]
    assert (first["day"], second["day"]) == ("2026-11-26", "2026-11-27")
    assert first["reports"] == 2 and second["ours"]["messages"] == 9
    assert first["ours"] == {
        "messages": 6, "aligned": 6, "dkim": 6, "spf": 0, "quarantined": 0, "rejected": 0,
    }  # fmt: skip
    assert first["others"] == {
        "messages": 2, "aligned": 0, "dkim": 0, "spf": 0, "quarantined": 0, "rejected": 2,
    }  # fmt: skip


def test_the_same_report_counts_once(domain):
    keep(domain)
    with pytest.raises(keeping.KnownReport):
        keep(domain)
    assert (DmarcReport.objects.count(), DmarcCount.objects.count()) == (1, 1)


def test_beyond_so_many_rows_a_day_only_sums_are_kept(domain, monkeypatch):
    monkeypatch.setattr(keeping, "ROWS_A_DAY", 3)
    sources = [record(f"198.51.100.{number}", 2, dkim="fail") for number in range(1, 4)]
    keep(domain, *sources)
    keep(domain, record(count=5), *sources, id="18")
    later = DmarcCount.objects.filter(report__report_id="18")
    assert sorted(later.values_list("source", "is_ours", "amount")) == [
        (None, False, 6), (None, True, 5),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["shop.test", "news.shop.test", "test", "SHOP.TEST."])
def test_a_report_is_about_its_domain_or_one_in_its_tree(domain, name):
    assert keep(domain, domain=name).domain == domain


@pytest.mark.parametrize("name", ["", "other.test", "myshop.test"])
def test_a_report_about_another_domain_is_not_kept(domain, name):
    with pytest.raises(keeping.OtherDomain):
        keep(domain, domain=name)


def test_the_proposed_record_asks_for_reports_at_our_address(domain, settings):
    [dmarc] = [each for each in required_records(domain) if each.purpose == "dmarc"]
    address = report_address.address(domain.pk)
    assert dmarc.value == f"v=DMARC1; p=none; rua=mailto:{address}"
    settings.EKIDEN_FORENSIC_REPORTS = "yes"
    [dmarc] = [each for each in required_records(domain) if each.purpose == "dmarc"]
    assert "; ruf=mailto:ruf-" in dmarc.value


def test_an_address_names_its_domain_in_any_case_and_no_other(domain):
    local_part = report_address.address(domain.pk).partition("@")[0]
    assert report_address.domain_of(local_part.upper()) == domain.pk
    assert report_address.kind_of(local_part.upper()) == "dmarc"
    with pytest.raises(report_address.ForgedToken):
        report_address.domain_of(local_part[:-2] + ("aa" if local_part[-2:] != "aa" else "bb"))


def test_the_command_shows_days_sources_and_who_must_agree(domain):
    keep(domain, record(count=5), record("198.51.100.9", 2, dkim="fail"))
    shown = ekiden("domain", "reports", "shop.test", "--days", "10000")
    assert "2026-11-26  5     5        2       0" in shown
    assert "198.51.100.9 (other): 2 messages, 0 aligned; spf=pass relay.test" in shown
    assert "*._report._dmarc." in shown
    found = ekiden_json("domain", "reports", "shop.test", "--days", "10000")
    assert found["receivers"] == [{"receiver": "mx.test", "messages": 7, "reports": 1}]


def test_without_a_report_the_command_says_where_they_go(domain):
    assert report_address.address(domain.pk) in ekiden("domain", "reports", "shop.test")
