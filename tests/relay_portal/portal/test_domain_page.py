"""What the page of a sending domain shows of receivers' reports."""

import pytest
from django.utils import timezone

from deliveries.message.ids import new_id
from domains.identity import own_lights
from domains.identity.ourselves import OwnFinding
from domains.identity.signatures import SignatureFinding
from domains.models import (
    AuthenticationRefusal,
    Domain,
    IdentityAlertKind,
    SignatureCheck,
)
from domains.operations.identity_alerts import raise_alert
from domains.reporting import aggregate, keeping
from domains.senders import dkim, report_address
from tests.deliveries import make
from tests.domains.identity.test_signatures import KEY, signed
from tests.domains.reporting.reports import record, xml
from tests.fakes.dns import FakeDns

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


def test_refusals_for_authentication_stand_there_with_advice(operator, domain):
    AuthenticationRefusal.objects.create(
        domain=domain, day=timezone.now().date(), receiver="google", mechanism="dkim", amount=7,
        last_at=timezone.now(), example="550 5.7.30 <b>no</b>",
    )  # fmt: skip
    text = page_of(operator, domain)
    assert "<td>google</td><td>DKIM</td><td>7</td>" in text and "&lt;b&gt;no" in text
    assert "could not verify our signature" in text


def test_a_sampled_message_that_failed_is_told_on_page_and_overview(operator, domain):
    finding = SignatureFinding("shop.test", "s", "rsa-sha256", "fail", "sig-no-key").as_json()
    SignatureCheck.objects.create(
        message_id=new_id(), domain=domain, result="fail", findings=[finding]
    )
    raise_alert(
        IdentityAlertKind.SIGNATURE, "shop.test", finding["text"], slip=finding["slip"],
        given=finding["given"],
    )  # fmt: skip
    assert "1 messages of the last 30 days were verified; 1 failed" in page_of(operator, domain)
    said = "There is no key at s._domainkey.shop.test, so the signature fails."
    assert said in page_of(operator, domain) and said in operator.get("/").text


def test_a_message_is_verified_where_it_is_pasted(operator, settings):
    with FakeDns({"s._domainkey.shop.test": {"TXT": [dkim.txt_value(KEY)]}}) as dns:
        settings.EKIDEN_DNS = [dns.url]
        answer = operator.post("/check-message/", {"message": signed().decode()})
        changed = operator.post(
            "/check-message/", {"message": signed().decode().replace("hello", "Hello")}
        )
    assert "The signature of shop.test passes" in answer.text and "It aligns." in answer.text
    assert "The body is not what shop.test signed" in changed.text


def test_an_empty_form_is_told_what_is_missing(operator):
    assert "Paste a message, or choose a file." in operator.post("/check-message/", {}).text


def test_how_receivers_see_us_is_one_page_of_lights(operator):
    assert "Nothing is known yet" in operator.get("/identity/").text
    given = {"address": "192.0.2.25", "host": "relay.test"}
    finding = OwnFinding("192.0.2.25", "ptr", "bad", "own-ptr-missing", given)
    own_lights.keep([finding], now=timezone.now())
    text = operator.get("/identity/").text
    assert "PTR record" in text and "192.0.2.25 has no PTR record" in text and "Bad" in text
    assert "192.0.2.25 has no PTR record" in operator.get("/").text
