"""Where a host or a form is refused, the page says what to set, in both languages, and repeats
nothing that is no address.
"""

import re

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from relay_portal.pages import errors
from tests.journeys.rig import ROOT

pytestmark = pytest.mark.usefixtures("db")

LOGIN = "/account/login/"


def text(answer, status):
    assert (answer.status_code, answer.headers["Content-Type"]) == (
        status,
        "text/plain; charset=utf-8",
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return answer.text


@pytest.fixture
def form(settings):
    """Send the log-in form as a browser at that address does, through a proxy that passes on these
    headers.
    """
    settings.ALLOWED_HOSTS = ["portal.example.com"]

    def send(origin, host, secure=False, language="en", token="", **headers):
        browser = Client(
            enforce_csrf_checks=True, headers={"host": host, "accept-language": language}
        )
        shown = browser.get(LOGIN, secure=secure)
        token = token or re.search(r'csrfmiddlewaretoken" value="(\w+)"', shown.text)[1]
        fields = {
            "csrfmiddlewaretoken": token,
            "auth-username": "a",
            "auth-password": "b",
            "log_in-current_step": "auth",
        }
        return browser.post(LOGIN, fields, secure=secure, headers={"origin": origin} | headers)

    return send


def test_a_form_from_the_portals_own_address_is_taken(form):
    assert (
        form("https://portal.example.com:8443", "portal.example.com:8443", secure=True).status_code
        == 200
    )


@pytest.mark.parametrize(
    ("host", "secure", "asked"),
    [
        ("portal.example.com", True, "https://portal.example.com"),
        ("portal.example.com:8443", False, "http://portal.example.com:8443"),
    ],
    ids=["no port", "no scheme"],
)
def test_a_proxy_that_hides_the_address_is_told_what_to_pass(form, host, secure, asked):
    said = text(form("https://portal.example.com:8443", host, secure), 403)
    assert f"from https://portal.example.com:8443, and the portal was asked as {asked}." in said
    for word in (*errors.NGINX, "EKIDEN_ALLOWED_HOSTS"):
        assert word in said


def test_a_wrong_referrer_says_the_same(form):
    said = text(
        form(
            "", "portal.example.com", secure=True, referer="https://portal.example.com:8443/x?<b>"
        ),
        403,
    )
    assert "from https://portal.example.com:8443, and" in said and "<b>" not in said


def test_a_browser_that_names_no_page_is_told_so(form):
    assert "must send the field Origin or Referer" in text(
        form("", "portal.example.com", secure=True), 403
    )


def test_a_form_that_is_out_of_date_is_not_the_proxys_fault(form):
    said = text(form("http://portal.example.com", "portal.example.com", token="x" * 64), 403)
    assert "load the page again" in said and "proxy" not in said


def test_a_wrong_host_is_told_what_to_set(client):
    said = text(client.get(LOGIN, headers={"host": "other.example.com:8443"}), 400)
    assert "under this name: other.example.com:8443" in said
    assert "EKIDEN_ALLOWED_HOSTS=" in said and errors.NGINX[0] in said


def test_both_speak_japanese(form, client):
    assert "プロキシ" in text(
        form("https://portal.example.com:1", "portal.example.com", language="ja"), 403
    )
    assert "再読み込み" in text(
        form("http://portal.example.com", "portal.example.com", language="ja", token="x" * 64), 403
    )
    assert "ホスト名" in text(
        client.get(LOGIN, headers={"host": "other.example.com", "accept-language": "ja"}), 400
    )


STRANGE = [
    "<script>alert(1)</script>",
    "a b",
    "evil.test/<b>",
    "x\u202ey",
    "",
    "[::1",
    "[",
    "名前.test",
    "a" * 300,
    "a.test\n",
]


@pytest.mark.parametrize("sent", STRANGE)
def test_what_is_no_address_is_not_repeated(form, client, sent):
    for said in (
        text(client.get(LOGIN, headers={"host": sent}), 400),
        text(form(f"https://{sent}", "portal.example.com"), 403),
    ):
        assert not sent or sent not in said
        assert "<" not in said and "\u202e" not in said
    said = text(client.get(LOGIN, headers={"host": "a" * 300}), 400)
    assert "names no valid host" in said


@given(scheme=st.sampled_from(["", "https"]), host=st.text(max_size=20))
def test_an_address_holds_plain_letters_only(scheme, host):
    assert re.fullmatch(r"(https://)?[A-Za-z0-9.:\[\]-]*", errors._address(scheme, host))


def test_the_lines_for_nginx_are_those_of_the_handbook():
    handbook = (ROOT / "docs/operations.md").read_text()
    for line in errors.NGINX:
        assert f"        {line}\n" in handbook
