"""What people do to a domain while a check of it is under way stands, whatever the check found."""

from datetime import timedelta

import pytest
from django.utils import timezone

from domains.identity import checking, subdomains
from domains.models import Domain, DomainAlert, Project, ReturnPath, SetAside
from domains.senders import adding, return_paths
from domains.senders.trust import GRACE
from tests.fakes.dns import FakeDns

pytestmark = pytest.mark.django_db
NOW = timezone.now()
STRICT = {"TXT": ["v=DMARC1; p=none; adkim=s"]}


@pytest.fixture
def under_way(settings):
    """Return a domain as a check has read it that takes its time."""
    zones = {"rp.shop.test": {"CNAME": ["relay.test"]}, "_dmarc.shop.test": STRICT}
    with FakeDns(zones, ttl=5) as dns:
        settings.EKIDEN_DNS, settings.EKIDEN_HOSTNAME = [dns.url], "relay.test"
        yield Domain.objects.create(
            project=Project.objects.create(name="shop"), name="shop.test", token="t",
            verified_at=NOW, covers_subdomains=True, is_strict=True,
        )  # fmt: skip


def now_is():
    return Domain.objects.get()


def end_check(domain):
    checking.check([domain], now=timezone.now())


def test_an_operators_word_for_a_domain_whose_proof_was_lost_for_long(under_way):
    Domain.objects.update(lost_at=NOW - GRACE - timedelta(hours=1))
    under_way.refresh_from_db()
    adding.assume(now_is())
    end_check(under_way)
    assert now_is().is_verified and now_is().is_assumed and now_is().lapsed_at is None


def test_another_return_path(under_way):
    return_paths.note_check(under_way, "found", now=NOW)
    return_paths.choose(now_is(), "mail", now=NOW)
    end_check(under_way)
    end_check(now_is())
    return_paths.note_check(now_is(), "found", now=NOW)
    assert ReturnPath.objects.current().get().name == "mail.shop.test"
    assert not SetAside.objects.exists()


def test_that_names_below_it_send_no_more(under_way):
    subdomains.forbid(now_is(), now=NOW)
    end_check(under_way)
    end_check(now_is())
    assert not DomainAlert.objects.filter(kind=subdomains.SUBDOMAINS, ended_at=None).exists()


def test_that_the_domain_is_removed(under_way):
    now_is().delete()
    end_check(under_way)
    assert not SetAside.objects.exists()
