"""Wrong passwords: who is locked out by them, and who is not."""

import logging
import threading

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.hashers import get_hasher
from django.test import Client

from relay_portal.access import hashers, known_devices, lockout
from tests.relay_portal.portal.conftest import PASSWORD, code, person
from tests.relay_portal.portal.test_login import LOGIN, give_password, give_token

pytestmark = pytest.mark.django_db


def guess(address="", name="otto", client=None):
    """Try one wrong password as a stranger who comes through the proxy on this host; return the
    status.
    """
    given = {"HTTP_X_FORWARDED_FOR": address} if address else {}
    return give_password(client or Client(), name, "wrong", **given).status_code


@pytest.fixture
def otto():
    return person()


@pytest.fixture
def known(otto):
    """Return a browser in which the person has logged in with both factors, and out again."""
    client = Client()
    give_password(client)
    give_token(client, code(otto.totpdevice_set.get()))
    client.post("/account/logout/")
    otto.totpdevice_set.update(last_t=-1)
    return client


def test_guesses_from_one_64_are_those_of_one_client(otto):
    said = [guess(f"2001:db8:1:2::{number:x}") for number in range(1, 12)]
    assert said == [200] * 9 + [429] * 2
    assert guess("2001:db8:1:3::1") == 200


def test_addresses_of_ipv4_count_each_for_itself_however_they_are_written(otto):
    assert [guess("192.0.2.1") for _ in range(5)] + [
        guess("::ffff:192.0.2.1") for _ in range(5)
    ] == [200] * 9 + [429]
    assert guess("192.0.2.2") == 200


def test_many_names_from_one_place_lock_the_place(otto):
    said = [guess("192.0.2.1", f"name{number}") for number in range(lockout.PER_PLACE)]
    assert said == [200] * (lockout.PER_PLACE - 1) + [429]
    assert give_password(Client(), HTTP_X_FORWARDED_FOR="192.0.2.1").status_code == 429


def test_one_name_from_many_places_is_locked_for_strangers(otto):
    said = [guess(f"192.0.2.{number}") for number in range(1, lockout.PER_NAME + 1)]
    assert said == [200] * (lockout.PER_NAME - 1) + [429]
    assert give_password(Client(), HTTP_X_FORWARDED_FOR="198.51.100.1").status_code == 429
    assert guess("198.51.100.1", "sue") == 200


def test_strangers_behind_a_proxy_that_hides_addresses_lock_no_known_browser_out(otto, known):
    assert [guess() for _ in range(10)][-1] == 429
    assert give_password(Client()).status_code == 429
    assert give_password(known).context["wizard"]["steps"].current == "token"
    assert give_token(known, code(otto.totpdevice_set.get())).headers["Location"] == "/"


def test_a_known_browser_has_tries_of_its_own_and_no_more(known):
    assert [guess(client=known) for _ in range(10)] == [200] * 9 + [429]
    assert give_password(known).status_code == 429
    assert give_password(Client()).status_code == 200, "and they are not a stranger's"


def test_a_known_browser_is_one_for_its_person_and_password_only(otto, known):
    person("sue")
    assert [guess(name="sue") for _ in range(10)][-1] == 429
    assert guess(name="sue", client=known) == 429
    otto.set_password("another long word 17")
    otto.save()
    assert [guess() for _ in range(10)][-1] == 429
    assert give_password(known, password="another long word 17").status_code == 429


def test_a_forged_cookie_makes_no_browser_known(otto):
    client = Client()
    client.cookies[known_devices.COOKIE] = "eyJ1c2VyIjoxfQ:1:forged"
    assert [guess(client=client) for _ in range(10)][-1] == 429
    assert set(AccessAttempt.objects.values_list("user_agent", flat=True)) == {""}


def test_the_password_alone_makes_no_browser_known(otto, client):
    give_password(client)
    assert known_devices.COOKIE not in client.cookies


def test_the_cookie_is_for_the_log_in_and_no_script(known):
    cookie = known.cookies[known_devices.COOKIE]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (LOGIN, True, "Lax")


def test_the_log_shows_who_attacks_and_neither_log_nor_table_what_was_typed(otto, caplog):
    caplog.set_level(logging.INFO)
    for _ in range(11):
        guess("192.0.2.77")
    lines = [record.getMessage() for record in caplog.records if "login-" in record.msg]
    assert lines[0] == "event=login-failed client=192.0.2.77 user=otto locked=no"
    assert lines[-2:] == [
        "event=login-failed client=192.0.2.77 user=otto locked=yes",
        "event=login-refused client=192.0.2.77 user=otto",
    ]
    assert "****" not in caplog.text and "wrong" not in caplog.text
    assert "wrong" not in str(list(AccessAttempt.objects.values()))


@pytest.mark.parametrize("name", ["a\0b", "x" * 1000, "名前"])
def test_no_name_breaks_the_log_in(name):
    assert guess(name=name) == 200


def test_a_wrong_host_is_one_line(client, caplog):
    assert client.get(LOGIN, headers={"host": "evil.test"}).status_code == 400
    [record] = [
        record for record in caplog.records if record.name == "django.security.DisallowedHost"
    ]
    assert (
        record.exc_info is None
        and "evil.test" in record.getMessage()
        and "\n" not in record.getMessage()
    )


# --- what a guess costs ---------------------------------------------------------------------------
@pytest.fixture
def slow_hash(settings, monkeypatch):
    """Yield the real hasher, and two passwords that are being looked at until the test lets go of
    them.
    """
    settings.PASSWORD_HASHERS = ["relay_portal.access.hashers.Argon2"]
    go_on, counted = threading.Event(), []

    def verify(self, password, encoded):
        counted.append(password)
        assert go_on.wait(30)
        return False

    monkeypatch.setattr(hashers.hashers.Argon2PasswordHasher, "verify", verify)
    threads = [
        threading.Thread(target=lambda: get_hasher("argon2").verify("guess", "x"), daemon=True)
        for _ in range(hashers.AT_ONCE)
    ]
    for thread in threads:
        thread.start()
    while hashers._places._value:  # both have taken their places
        go_on.wait(0.01)
    yield counted
    go_on.set()
    for thread in threads:
        thread.join()


def test_guesses_cannot_fill_the_cores(slow_hash, client):
    answer = give_password(client)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert slow_hash == ["guess"], "one at a time"
    assert not AccessAttempt.objects.exists(), "who is told to come again has not tried"
    assert client.get("/health/").status_code == 200


@pytest.mark.parametrize("name", ["otto", "nobody"])
def test_a_known_and_an_unknown_name_cost_one_hash(settings, monkeypatch, name):
    settings.PASSWORD_HASHERS = ["relay_portal.access.hashers.Argon2"]
    person()
    asked = []
    for method in ("encode", "verify"):
        real = getattr(hashers.hashers.Argon2PasswordHasher, method)

        def counted(*given, real=real):
            asked.append(given[1])
            return real(*given)

        monkeypatch.setattr(hashers.hashers.Argon2PasswordHasher, method, counted)
    guess(name=name)
    assert asked == ["wrong"]
    assert PASSWORD not in asked
