"""Log-in, log-out and what groups do, by npm's oidc-provider itself."""

import pytest
from django.contrib.sessions.models import Session
from django_otp.plugins.otp_totp.models import TOTPDevice

from deliveries.models import Stop
from domains.foundation.rights import Role
from domains.models import AuditEntry
from relay_portal.access.fresh_factor import SHOWN_AT
from relay_portal.models import GroupRole, ProviderIdentity, User
from tests.deliveries import make
from tests.relay_portal.openid.conftest import Browser, asked, form_of
from tests.relay_portal.portal.conftest import code, person

pytestmark = [pytest.mark.django_db, pytest.mark.peer]


@pytest.fixture
def mapped(real, settings):
    """Make members of `mail` operators; the provider's second factor is enough."""
    settings.EKIDEN_OPENID_FACTOR = ["amr:otp"]
    return GroupRole.objects.create(group="mail", role=Role.OPERATOR, is_limited=False)


def test_a_person_of_a_mapped_group_is_in_with_its_role(mapped, browser):
    assert browser.log_in(amr=["pwd", "otp"]).headers["Location"] == "/"
    assert browser.portal.get("/").status_code == 200
    mika = User.objects.get(username="mika")
    assert (mika.role, mika.is_limited, mika.has_usable_password()) == ("operator", False, False)


def test_the_request_has_challenge_state_and_nonce(real, browser):
    there = asked(browser.portal.get("/account/provider/").headers["Location"])
    assert there["code_challenge_method"] == "S256" and there["scope"] == "openid profile email"
    assert all(len(there[name]) > 40 for name in ("state", "nonce", "code_challenge"))


def test_the_log_in_leads_to_where_the_person_wanted(mapped, browser):
    page = browser.portal.get("/deliveries/lane/", follow=True)
    assert "/account/provider/?next=%2Fdeliveries%2Flane%2F" in page.text
    answer = browser.log_in(begin="/account/provider/?next=/deliveries/lane/", amr="otp")
    assert answer.headers["Location"] == "/deliveries/lane/"


def test_without_the_providers_factor_our_own_is_set_up_and_asked(mapped, browser):
    browser.log_in(amr="pwd")
    assert browser.portal.get("/").headers["Location"] == "/account/security/setup/"
    mika = User.objects.get(username="mika")
    device = TOTPDevice.objects.create(user=mika, name="default")
    asks = browser.portal.get("/").headers["Location"]
    assert asks == "/account/confirm/?next=%2F"
    assert browser.portal.post(asks, {"token-otp_token": "000000"}).status_code == 200
    assert browser.portal.get("/").status_code == 302
    TOTPDevice.objects.update(throttling_failure_count=0)
    answer = browser.portal.post(asks, {"token-otp_token": code(device)})
    assert answer.headers["Location"] == "/" and browser.portal.get("/").status_code == 200


def test_who_has_enrolled_before_and_lost_it_needs_a_reset(mapped, browser):
    browser.log_in(amr="otp")
    User.objects.update(enrolled_at="2026-11-01T00:00Z")
    again = Browser()
    again.log_in(amr="pwd")
    assert again.portal.get("/").headers["Location"].startswith("/account/login/")


def test_a_person_without_a_mapped_group_reads_which_groups_there_were(real, browser):
    browser.log_in(amr="otp")
    assert "No group of yours may use this portal (mail, staff)." in browser.message()
    assert not User.objects.exists() and browser.portal.get("/").status_code == 302


def test_a_person_out_of_all_groups_loses_role_and_sessions(mapped, real, browser):
    browser.log_in(amr="otp")
    real.know(mika={"groups": ["staff"]})
    again = Browser()
    again.log_in(amr="otp")
    assert "No group of yours" in again.message()
    mika = User.objects.get()
    assert (mika.role, mika.is_limited, mika.is_staff) == ("support", True, False)
    assert browser.portal.get("/").headers["Location"].startswith("/account/login/")
    real.know(mika={"groups": ["mail"]})
    again.outside.cookies.clear()
    assert again.log_in(amr="otp").headers["Location"] == "/"


def test_the_strongest_role_wins_in_all_projects_that_groups_give_it(mapped, real, browser):
    mapped.delete()
    shop, news = make.project(name="shop"), make.project(name="news")
    for group, role, project in (("a", "developer", shop), ("b", "support", shop),
                                 ("c", "support", news)):  # fmt: skip
        GroupRole.objects.create(group=group, role=role).projects.add(project)
    real.know(mika={"groups": ["a", "b", "c"]})
    browser.log_in(amr="otp")
    mika = User.objects.get()
    assert (mika.role, mika.is_limited) == ("support", True)
    assert {each.name for each in mika.projects.all()} == {"shop", "news"}


def test_an_address_or_a_name_finds_nobody(mapped, browser):
    local = person("mika", email="mika@people.test")
    browser.log_in(amr="otp")
    made = User.objects.get(provideridentity__subject="mika")
    assert (made.username, made.pk == local.pk) == ("mika-2", False)
    Browser().log_in(amr="otp")
    assert ProviderIdentity.objects.count() == 1


def test_a_person_switched_off_here_stays_out(mapped, browser):
    browser.log_in(amr="otp")
    User.objects.update(is_active=False)
    again = Browser()
    again.log_in(amr="otp")
    assert "switched off here" in again.message()


def test_log_out_ends_the_session_at_the_provider_too(mapped, browser):
    browser.log_in(amr="otp")
    answer = browser.portal.post("/account/logout/")
    there = answer.headers["Refresh"].removeprefix("0; url=")
    assert browser.portal.get("/").status_code == 302
    place, fields = form_of(browser.outside.get(there))
    back = browser._post(place, {**fields, "logout": "yes"})
    assert back.startswith("http://testserver/account/login/")
    page = browser.outside.get(browser.portal.get("/account/provider/").headers["Location"])
    assert "/interaction/" in page.url


def test_a_log_out_at_the_provider_ends_the_session_here(mapped, real, browser):
    browser.log_in(amr="otp")
    other = Browser()
    other.log_in(amr="otp")
    place, fields = form_of(browser.outside.get(f"{real.issuer}/session/end"))
    browser.outside.post(place, {**fields, "logout": "yes"}, allow_redirects=False)
    [token] = real.told
    answer = other.portal.post("/account/provider/end/", {"logout_token": token})
    assert answer.status_code == 200 and Session.objects.count() == 1
    assert browser.portal.get("/").status_code == 302
    assert other.portal.get("/").status_code == 200


def test_an_id_token_is_no_log_out_token(mapped, browser):
    browser.log_in(amr="otp")
    token = browser.portal.session["portal_from_provider"]["id_token"]
    answer = browser.portal.post("/account/provider/end/", {"logout_token": token})
    assert answer.status_code == 400 and browser.portal.get("/").status_code == 200


def test_an_answer_works_once_and_in_its_own_browser(mapped, browser):
    there = browser.portal.get("/account/provider/").headers["Location"]
    place = browser._post(browser.outside.get(there).url, {"login": "mika", "amr": "otp"})
    stranger = Browser()
    stranger.bring(place)
    assert "begun in another browser" in stranger.message()
    assert browser.bring(place).headers["Location"] == "/"
    browser.bring(place)
    assert "begun in another browser" in browser.portal.get("/").text


def test_a_refusal_by_the_person_is_told(real, browser):
    there = browser.portal.get("/account/provider/").headers["Location"]
    browser.bring(browser._post(browser.outside.get(there).url, {}))
    assert "The provider refused the log-in: access_denied" in browser.message()


def test_a_wrong_secret_is_told_in_the_providers_words(real, browser, tmp_path):
    (tmp_path / "secret").write_text("another one")
    browser.log_in(amr="otp")
    assert "The provider refused the log-in: invalid_client" in browser.message()


def test_what_came_of_a_log_in_is_in_the_audit_log(mapped, browser):
    browser.log_in(amr="otp")
    assert list(AuditEntry.objects.order_by("id").values_list("actor", "action")) == [
        ("mika", "add"),
        ("mika", "log_in_by_provider"),
    ]
    assert AuditEntry.objects.latest("id").details["second_factor"] is True


def test_a_stranger_on_the_way_leaves_no_session(real, browser):
    browser.portal.get("/account/provider/")
    browser.portal.get("/account/provider/return/?state=x&code=y")
    assert not Session.objects.exists()


@pytest.fixture
def late(mapped, browser):
    """Return one who is in by the provider's factor, since an hour; and something dangerous."""
    browser.log_in(amr="otp")
    session = browser.portal.session
    session[SHOWN_AT] -= 3600
    session.save()
    asks = browser.portal.post("/deliveries/stop/everything/", {"reason": "now"})
    browser.asks = browser.portal.get(asks.headers["Location"]).headers["Location"]
    return browser


def test_the_provider_asks_again_before_what_is_dangerous(late):
    there = asked(late.portal.get(late.asks).headers["Location"])
    assert (there["prompt"], there["max_age"]) == ("login", "0")
    answer = late.log_in(begin=late.asks, amr="otp")
    assert answer.headers["Location"] == "/account/confirm/repeat/"
    act = late.portal.get("/account/confirm/repeat/").context
    late.portal.post(act["place"], dict(act["fields"]))
    assert Stop.objects.get().reason == "now"


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": "olga", "amr": "otp"}, "Somebody else has logged in"),
        ({"amr": "pwd"}, "did not ask for a second factor"),
    ],
)
def test_another_person_or_a_password_alone_confirms_nothing(late, real, form, words):
    real.know(mika={"groups": ["mail"]}, olga={"groups": ["mail"]})
    late.outside.cookies.clear()
    assert late.log_in(begin=late.asks, **form).headers["Location"] == "/"
    assert words in late.portal.get("/").text
    asks = late.portal.post("/deliveries/stop/everything/", {"reason": "now"})
    assert asks.headers["Location"].startswith("/account/confirm/")
