"""A credential's page tells that its first message has come, and sends a test on its behalf."""

import re

import pytest
from django.db.models import signals
from django.utils import timezone

from deliveries.models import Delivery, Message
from domains.models import AuditEntry, Credential, Domain
from suppressions.models import Suppression
from tests.deliveries import make
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.usefixtures("mail_db")


@pytest.fixture
def app(settings):
    settings.EKIDEN_HOSTNAME = "relay.test"
    project = make.project()
    Domain.objects.create(project=project, name="shop.test", token="x", verified_at=timezone.now())
    return make.credential(project)


def use(browser, app):
    return browser.get(f"/domains/credential/{app.pk}/use/").text


def test_the_page_asks_for_its_use_and_says_when_the_first_message_has_come(browser, app):
    assert (
        f'data-fragment="/domains/credential/{app.pk}/use/"'
        in browser.get(f"/domains/credential/{app.pk}/change/").text
    )
    assert "No message of it has come yet" in use(browser, app)
    sent = make.message(app.project, credential=app)
    make.message(app.project, credential=make.credential(app.project))
    page = use(browser, app)
    assert "Its messages arrive" in page and str(sent.pk) in page


def test_what_is_used_of_its_limits_stands_there(browser, app, valkey):
    type(app).objects.filter(pk=app.pk).update(per_minute=100)
    minute = int(timezone.now().timestamp() // 60)
    for each in (minute, minute + 1):
        valkey.set(f"ekiden:minute:{app.pk}:{each}", 12, ex=60)
    page = use(browser, app)
    assert "12 / 100" in page
    assert "no limit" in page


def test_without_valkey_the_page_says_that_it_does_not_know(browser, app, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert "Valkey does not answer" in use(browser, app)


def test_another_projects_credential_is_not_there(browser, app):
    support = verified(person("sue", operator=False, projects=[make.project()]))
    assert support.get(f"/domains/credential/{app.pk}/use/").status_code == 404
    assert support.get(f"/domains/credential/{app.pk}/send-test/").status_code == 403


def send(browser, app, to="you@mx.test"):
    path = f"/domains/credential/{app.pk}/send-test/"
    token = re.search(r'name="token" value="([0-9a-f-]{36})"', browser.get(path).text)[1]
    return browser.post(path, {"to": to, "token": token})


def test_a_test_goes_the_way_of_the_credentials_mail_and_is_written_down(browser, app):
    answer = send(browser, app)
    made = Message.objects.get()
    assert answer.headers["Location"] == f"/deliveries/message/{made.pk}/change/"
    assert (made.credential_id, made.mail_from) == (app.pk, "hello@shop.test")
    entry = AuditEntry.objects.get(action="send_test")
    assert entry.details == {"to": "you@mx.test", "from": "hello@shop.test"}


def test_a_form_that_is_corrected_and_sent_again_is_another_test(browser, app):
    path = f"/domains/credential/{app.pk}/send-test/"
    token = re.search(r'name="token" value="([0-9a-f-]{36})"', browser.get(path).text)[1]
    for to in ("yuo@mx.test", "you@mx.test", "you@mx.test"):
        browser.post(path, {"to": to, "token": token})
    recipients = Delivery.objects.order_by("recipient").values_list("recipient", flat=True)
    assert list(recipients) == ["you@mx.test", "yuo@mx.test"]


def test_a_test_to_a_suppressed_address_is_refused_with_the_reason(browser, app):
    Suppression.objects.create(
        project=app.project, address_key="you@mx.test", source="manual", reason="asked us"
    )
    assert "asked us" in send(browser, app).text
    assert not Message.objects.exists()


def test_without_a_verified_domain_there_is_nothing_to_send_as(browser, app):
    Domain.objects.update(verified_at=None)
    page = browser.get(f"/domains/credential/{app.pk}/send-test/").text
    assert "no verified domain" in page
    assert 'name="to"' not in page


def test_a_form_brings_no_credential_back_that_was_revoked_meanwhile(browser, app):
    path = f"/domains/credential/{app.pk}/change/"
    given = browser.get(path).context["adminform"].form.initial
    fields = {name: value for name, value in given.items() if value not in (None, [], False)}

    def revoke(sender, instance, **_):
        Credential.objects.filter(pk=app.pk).update(revoked_at=timezone.now())

    signals.pre_save.connect(revoke, sender=Credential, weak=False, dispatch_uid="test")
    try:
        answer = browser.post(path, fields | {"max_size": "1000"})
    finally:
        signals.pre_save.disconnect(sender=Credential, dispatch_uid="test")
    kept = Credential.objects.get()
    assert answer.status_code == 302 and kept.max_size == 1000 and kept.is_revoked
