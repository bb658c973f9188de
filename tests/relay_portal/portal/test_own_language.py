"""Each person reads the portal in a language of their own, on every browser they log in by."""

import pytest
from django.conf import settings
from django.test import Client

from relay_portal.models import User
from tests.relay_portal.portal.conftest import PASSWORD, code, invited, person, verified

pytestmark = pytest.mark.django_db
CHOOSE, LOGIN, PAGE = "/language/", "/account/login/", "/account/security/"
COOKIE = settings.LANGUAGE_COOKIE_NAME


def spoken(client, path=PAGE):
    return client.get(path).headers["Content-Language"]


def log_in(client, user):
    client.post(
        LOGIN,
        {
            "auth-username": user.username,
            "auth-password": PASSWORD,
            "log_in-current_step": "auth",
        },
    )
    token = code(user.totpdevice_set.get())
    return client.post(LOGIN, {"token-otp_token": token, "log_in-current_step": "token"})


def test_a_person_reads_their_own_language_on_every_browser_and_nobody_else_does():
    otto, sue = person(), person("sue")
    verified(otto).post(CHOOSE, {"language": "ja"})
    assert (spoken(verified(otto)), spoken(verified(sue))) == ("ja", "en")
    assert "アカウント" in verified(otto).get(PAGE).text


def test_their_language_is_there_at_the_log_in_by_password_and_code(client):
    otto = person()
    User.objects.update(language="ja")
    assert spoken(client, LOGIN) == "en"
    log_in(client, otto)
    assert spoken(client) == "ja"


def test_it_outweighs_the_browsers_cookie():
    client = verified(person())
    client.post(CHOOSE, {"language": "ja"})
    client.cookies[COOKIE] = "en"
    assert spoken(client) == "ja"


def test_no_cookie_is_left_of_who_is_logged_in():
    client = verified(person())
    client.post(CHOOSE, {"language": "ja"})
    assert COOKIE not in client.cookies
    assert spoken(client) == "ja"


def test_a_stranger_has_a_cookie_and_the_first_log_in_keeps_it_with_the_person(client):
    otto = person()
    client.post(CHOOSE, {"language": "ja"})
    assert (client.cookies[COOKIE].value, spoken(client, LOGIN)) == ("ja", "ja")
    log_in(client, otto)
    assert spoken(verified(otto)) == "ja"


def test_a_later_log_in_does_not_change_what_the_person_has_chosen(client):
    otto = person()
    User.objects.update(language="en")
    client.post(CHOOSE, {"language": "ja"})
    log_in(client, otto)
    assert spoken(client) == "en"


def test_who_comes_by_an_invitation_reads_the_second_steps_in_it():
    nina = person("nina", enrolled=False)
    client = invited(nina)
    client.post(CHOOSE, {"language": "ja"})
    assert spoken(client, "/account/security/setup/") == "ja"
    assert User.objects.get(username="nina").language == "ja"


def test_what_is_no_language_of_ours_changes_nothing():
    client = verified(person())
    for wrong in ("de", "tlh", "", "\0", "../etc"):
        client.post(CHOOSE, {"language": wrong})
    assert (User.objects.get().language, spoken(client)) == ("", "en")


def test_a_stored_language_that_is_gone_is_the_browsers(client):
    otto = person()
    User.objects.update(language="tlh")
    assert spoken(verified(otto)) == "en"
    assert spoken(Client(headers={"accept-language": "ja"}), LOGIN) == "ja"
