"""The page on which support's question "wrong address?" ends: resend, and what leads there."""

import re

import pytest
from django.utils import timezone

from deliveries.models import Delivery, Message, Resending
from domains.models import AuditEntry, Domain
from tests.deliveries import make
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.usefixtures("mail_db")


@pytest.fixture
def sent(settings):
    settings.EKIDEN_HOSTNAME = "relay.test"
    app = make.credential()
    Domain.objects.create(
        project=app.project, name="shop.test", token="x", verified_at=timezone.now()
    )
    row = make.message(app.project, credential=app)
    make.delivery("hanka@mx.test", of=row)
    return row


def form_of(browser, sent):
    page = browser.get(f"/deliveries/message/{sent.pk}/resend/?instead=hanka@mx.test").text
    assert 'value="hanka@mx.test"' in page
    token = re.search(r'name="token" value="([0-9a-f-]{36})"', page)[1]
    return {"token": token, "credential": sent.credential_id, "reason": "ticket 7"}


def resend(browser, sent, form, to="hanako@mx.test"):
    return browser.post(f"/deliveries/message/{sent.pk}/resend/", {**form, "to": to})


def test_the_message_page_leads_there_and_to_a_suppression(browser, sent):
    page = browser.get(f"/deliveries/message/{sent.pk}/change/").text
    assert f"/deliveries/message/{sent.pk}/resend/?instead=hanka%40mx.test" in page
    suppress = re.search(r'href="(/suppressions/suppression/add/[^"]+)"', page)[1]
    assert 'value="hanka@mx.test"' in browser.get(suppress.replace("&amp;", "&")).text


def test_resent_it_is_a_message_of_its_own_and_both_pages_say_so(browser, sent):
    answer = resend(browser, sent, form_of(browser, sent))
    made = Resending.objects.get()
    assert answer.headers["Location"] == f"/deliveries/message/{made.message_id}/change/"
    assert str(sent.pk) in browser.get(answer.headers["Location"]).text
    assert str(made.message_id) in browser.get(f"/deliveries/message/{sent.pk}/change/").text
    assert AuditEntry.objects.get(action="resend").actor == "otto"


def test_a_form_that_is_sent_twice_is_one_message(browser, sent):
    form = form_of(browser, sent)
    pages = {resend(browser, sent, form).headers["Location"] for _ in "12"}
    assert len(pages) == 1
    assert Message.objects.count() == 2


def test_a_refusal_is_shown_with_the_form(browser, sent):
    Domain.objects.update(verified_at=None)
    page = resend(browser, sent, form_of(browser, sent)).text
    assert "as an app would be told" in page
    assert 'value="hanako@mx.test"' in page


@pytest.mark.parametrize("to", ["", "no address", "a@b@c"])
def test_what_is_no_address_sends_nothing(browser, sent, to):
    assert resend(browser, sent, form_of(browser, sent), to=to).status_code == 200
    assert Message.objects.count() == 1


def test_content_that_is_gone_is_told_in_place_of_the_form(browser, sent):
    sent.content.delete()
    page = browser.get(f"/deliveries/message/{sent.pk}/resend/").text
    assert "is kept no longer" in page
    assert 'name="to"' not in page


def test_support_staff_resends_nothing_and_another_message_is_not_there(browser, sent):
    support = verified(person("sue", operator=False, projects=[sent.project]))
    assert support.get(f"/deliveries/message/{sent.pk}/resend/").status_code == 403
    assert "/resend/" not in support.get(f"/deliveries/message/{sent.pk}/change/").text
    assert browser.get("/deliveries/message/no-id/resend/").status_code == 404


def test_a_form_that_is_corrected_and_sent_again_reaches_the_corrected_address(browser, sent):
    form = form_of(browser, sent)
    resend(browser, sent, form, to="hanaok@mx.test")
    resend(browser, sent, form, to="hanako@mx.test")  # after the browser's Back
    reached = Delivery.objects.exclude(message=sent).values_list("recipient", flat=True)
    assert set(reached) == {"hanaok@mx.test", "hanako@mx.test"}
    assert set(Resending.objects.values_list("recipient", flat=True)) == set(reached)
