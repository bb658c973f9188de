"""Who reads the content of a message, how it is shown, and that each look is written down."""

import pytest

from deliveries.models import Content
from domains.models import AuditEntry
from tests.deliveries import make
from tests.deliveries.message.test_parts import MAIL
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent():
    row = make.message(content=MAIL)
    make.delivery(of=row)
    return row


def show(browser, row, **form):
    return browser.post(f"/deliveries/message/{row.pk}/do/show_content/", form)


def test_an_operator_reads_it_and_that_is_written_down(operator, sent):
    assert "Show content" in operator.get(f"/deliveries/message/{sent.pk}/change/").text
    answer = show(operator, sent)
    assert answer.status_code == 200
    assert "words" in answer.text
    assert 'sandbox=""' in answer.text
    assert "default-src &#x27;none&#x27;" in answer.text
    assert "no-store" in answer.headers["Cache-Control"]
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.object_id) == ("otto", "show_content", str(sent.pk))


def test_an_attachment_is_a_file_of_no_type_under_a_name_of_ours(operator, sent):
    answer = show(operator, sent, attachment="0")
    assert answer.content == b"%PDF"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="attachment-1.bin"'
    assert AuditEntry.objects.get().details == {"attachment": 0}


@pytest.mark.parametrize("number", ["1", "-1", "x", "9" * 9, "٣"])
def test_what_is_no_attachment_is_not_found(operator, sent, number):
    assert show(operator, sent, attachment=number).status_code == 404
    assert not AuditEntry.objects.exists()


def test_a_look_by_get_or_at_what_is_gone_shows_nothing(operator, sent):
    assert operator.get(f"/deliveries/message/{sent.pk}/do/show_content/").status_code == 405
    Content.objects.all().delete()
    assert show(operator, sent).status_code == 404
    assert "Show content" not in operator.get(f"/deliveries/message/{sent.pk}/change/").text


def test_support_staff_reads_no_content_of_its_own_project(sent):
    client = verified(person("sue", operator=False, projects=[sent.project]))
    assert "Show content" not in client.get(f"/deliveries/message/{sent.pk}/change/").text
    assert show(client, sent).status_code == 403
    assert show(client, sent, attachment="0").status_code == 403
    assert not AuditEntry.objects.exists()
