"""The page of error rates and the warnings on the overview."""

import pytest

from deliveries.models import Alert
from tests.deliveries import make
from tests.deliveries.insight.test_error_rates import tally
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.django_db


@pytest.fixture
def credential():
    credential = make.credential()
    tally(credential, 90)
    tally(credential, 10, "unknown_user", provider="docomo")
    return credential


def test_rates_are_shown_and_lead_closer(operator, credential):
    page = operator.get("/error-rates/")
    assert "10.00 % hard" in page.text
    assert f"?hours=24&amp;credential={credential.pk}" in page.text
    assert "docomo" in page.text and "Unknown recipient" in page.text
    closer = operator.get("/error-rates/", {"provider": "docomo", "hours": "720"})
    assert closer.context["total"].ended == 10


@pytest.mark.parametrize(
    "asked",
    [
        {"hours": "x"},
        {"project": "9" * 30},
        {"credential": "'"},
        {"class": "<b>"},
        {"provider": "\0"},
    ],
)
def test_nonsense_in_the_url_is_answered(operator, credential, asked):
    assert operator.get("/error-rates/", asked).status_code == 200


def test_support_staff_sees_its_projects_only(credential):
    mine = make.credential()
    tally(mine, 7)
    sue = verified(person("sue", operator=False, projects=[mine.project]))
    assert sue.get("/error-rates/").context["total"].ended == 7
    assert sue.get("/error-rates/", {"project": credential.project_id}).context["total"].ended == 0


@pytest.mark.parametrize("name", ["project", "credential"])
def test_who_is_limited_reads_no_name_of_another_project(operator, credential, name):
    asked = {"project": credential.project_id, "credential": credential.pk}
    sue = verified(person("sue", operator=False, projects=[make.project()]))
    for client, is_named in ((operator, True), (sue, False)):
        text = client.get("/error-rates/", {name: asked[name]}).text
        assert (credential.project.name in text) is is_named


def test_an_alert_is_told_on_the_overview_with_a_way_to_act(operator, credential):
    Alert.objects.create(
        credential=credential, rate=10.0, bounced=10, total=100, hours=24, has_paused=True
    )
    text = operator.get("/").text
    assert "10.0 % hard bounces (10 of 100 within 24 hours)" in text
    assert "The credential is paused." in text
    assert f"/domains/credential/{credential.pk}/change/" in text


def test_a_list_that_is_cut_says_so(operator, credential):
    assert "with the most errors" not in operator.get("/error-rates/").text
    for number in range(50):
        tally(credential, 1, "policy", provider=f"receiver-{number}")
    assert "Only the 50 with the most errors are listed." in operator.get("/error-rates/").text
