"""Each time says its zone, and each person reads the times in a zone of their own."""

from datetime import UTC, datetime

import pytest

from deliveries.models import Message
from relay_portal.access.own_time_zone import zones
from tests.deliveries import make
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.django_db
PAGE, CHOOSE = "/account/security/", "/account/security/time-zone/"
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def sent():
    row = make.message()
    Message.objects.filter(pk=row.pk).update(accepted_at=NOON)
    return f"/deliveries/message/{row.pk}/change/"


def test_without_a_choice_the_installations_zone_is_named(operator, sent):
    assert "2026-05-04 12:00:00 UTC" in operator.get(sent).text


def test_a_person_reads_times_in_their_own_zone_and_nobody_else_does(sent):
    otto, sue = verified(person()), verified(person("sue"))
    otto.post(CHOOSE, {"zone": "Asia/Tokyo"})
    assert "2026-05-04 21:00:00 JST" in otto.get(sent).text
    assert "JST" in otto.get("/deliveries/message/").text
    assert "2026-05-04 12:00:00 UTC" in sue.get(sent).text
    otto.post(CHOOSE, {"zone": ""})
    assert "2026-05-04 12:00:00 UTC" in otto.get(sent).text


def test_the_choice_stands_on_the_page_and_what_is_no_zone_changes_nothing(operator):
    operator.post(CHOOSE, {"zone": "Asia/Tokyo"})
    assert "<option selected>Asia/Tokyo</option>" in operator.get(PAGE).text
    for wrong in ("Mars/Phobos", "../etc/passwd", "\0"):
        assert "That is no time zone" in operator.post(CHOOSE, {"zone": wrong}, follow=True).text
    assert "<option selected>Asia/Tokyo</option>" in operator.get(PAGE).text


def test_the_overview_of_a_time_is_asked_for_and_shown_in_it(operator):
    operator.post(CHOOSE, {"zone": "Asia/Tokyo"})
    assert "JST" in operator.get("/").text
    page = operator.get("/?from=2026-11-01T00:00&to=2026-11-01T02:00", follow=True).text
    assert "JST" in page and "UTC" not in page


def test_each_zone_is_a_place():
    assert {"UTC", "Asia/Tokyo", "Europe/Berlin"} <= set(zones())
    assert not any(name.startswith(("Etc/", "posix/")) for name in zones())
