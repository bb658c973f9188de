"""The page about smarthosts: secrets go in and never come out, and what cannot work is said."""

import pytest

from deliveries.models import Lane, Route, Smarthost
from deliveries.routing import smarthost_secrets, smarthosts
from domains.models import AuditEntry
from domains.senders.keys import ring
from tests.deliveries import make
from tests.fakes.dns import FakeDns
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.usefixtures("mail_db")
ADD = "/deliveries/smarthost/add/"
FORM = {
    "name": "office", "preset": "", "hosts_text": "smart.test:587/verified", "mechanism": "PLAIN",
    "username": "relay", "password": "hunter2", "client_secret": "", "refresh_token": "",
    "grant": "", "token_url": "", "client_id": "", "scope": "", "tenant": "",
    **dict.fromkeys(smarthosts.LIMITS, ""),
}  # fmt: skip


@pytest.fixture
def browser(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path
    return verified(person())


def page_of(row):
    return f"/deliveries/smarthost/{row.pk}/change/"


def test_a_secret_goes_in_and_never_comes_out(browser):
    browser.post(ADD, FORM)
    row = Smarthost.objects.get()
    assert smarthosts.kept_secrets(row) == {"password": "hunter2"}
    page = browser.get(page_of(row)).text
    assert "hunter2" not in page and "smart.test:587/verified" in page
    assert "hunter2" not in str([entry.details for entry in AuditEntry.objects.all()])


def test_what_is_left_empty_keeps_the_secret_and_a_new_one_is_noted_without_its_text(browser):
    row = make.smarthost(password="hunter2")
    browser.post(page_of(row), FORM | {"password": "", "per_day": "500"})
    row.refresh_from_db()
    assert row.per_day == 500 and smarthosts.kept_secrets(row) == {"password": "hunter2"}
    browser.post(page_of(row), FORM | {"password": "hunter3", "per_day": "500"})
    row.refresh_from_db()
    assert smarthosts.kept_secrets(row) == {"password": "hunter3"}
    entry = AuditEntry.objects.filter(action="change").order_by("id").last()
    assert entry.details == {"changed": {"password": ["…", "…"]}}


def test_a_preset_fills_in_what_is_left_empty(browser):
    given = {"preset": "microsoft365", "hosts_text": "", "tenant": "shop.test", "client_id": "abc"}
    browser.post(ADD, FORM | given | {"password": "", "client_secret": "s"})
    row = Smarthost.objects.get()
    assert (row.mechanism, row.per_day) == ("XOAUTH2", 10_000)
    assert row.token_url.endswith("/shop.test/oauth2/v2.0/token")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"hosts_text": "smart.test:587/none"}, "over verified TLS only"),
        ({"hosts_text": "smart.test"}, "is no host, port and TLS"),
        ({"hosts_text": ""}, "one to ten hosts"),
        ({"password": ""}, "needs a secret: password"),
        ({"hosts_text": "127.0.0.1:2587/implicit"}, "mail would go in circles"),
    ],
)
def test_what_cannot_work_is_said_on_the_page(browser, wrong, sentence):
    page = browser.post(ADD, FORM | wrong).text
    assert sentence in page and "hunter2" not in page and not Smarthost.objects.exists()


def test_a_route_of_the_portal_leads_to_a_smarthost_or_to_a_host(browser):
    row = make.smarthost()
    form = {"pattern": "*", "host": "", "port": "25", "tls": "opportunistic"}
    browser.post("/deliveries/route/add/", form | {"smarthost": row.pk})
    assert Route.objects.get().smarthost == row
    both = form | {"pattern": "a.test", "host": "b.test", "smarthost": row.pk}
    assert "either to a host or to a smarthost" in browser.post("/deliveries/route/add/", both).text


def test_a_refused_log_in_is_seen_everywhere(browser):
    from tests.commands import ekiden

    row = make.smarthost()
    closed = {"closed_at": make.later(), "close_reason": "535 5.7.8 no"}
    lane = make.lane(row.site, smarthost=row, is_routed=True, **closed)
    make.delivery(lane=lane)
    assert "closed" in ekiden("smarthost", "list")
    assert "Smarthost office" in browser.get("/").text and "535 5.7.8 no" in browser.get("/").text
    assert Lane.objects.filter(closed_at__isnull=False).count() == 1


def test_what_a_try_finds_is_told_in_the_readers_language(browser, settings):
    row = make.smarthost(hosts=[["empty.test", 587, "verified"], ["gone.test", 587, "verified"]])
    browser.post("/language/", {"language": "ja"})
    with FakeDns({"empty.test": {"TXT": ["x"]}}) as dns:
        settings.EKIDEN_DNS = [dns.url]
        page = browser.post(f"/deliveries/smarthost/{row.pk}/do/try_login/", follow=True).text
    assert "empty.test:587: DNS にアドレスがありません" in page
    assert "gone.test:587: DNS で調べられませんでした" in page


def test_why_there_is_no_login_is_told_in_it_too(browser, settings, tmp_path):
    row = make.smarthost(password="secret", hosts=[["smart.test", 587, "verified"]])
    Smarthost.objects.update(sealed=b"of another key ring")
    browser.post("/language/", {"language": "ja"})
    with FakeDns({"smart.test": {"A": ["127.0.0.1"]}}) as dns:
        settings.EKIDEN_DNS = [dns.url]
        page = browser.post(f"/deliveries/smarthost/{row.pk}/do/try_login/", follow=True).text
    assert "smart.test:587: 秘密情報を復号できません" in page


def test_a_change_keeps_the_refresh_token_that_a_worker_was_given_meanwhile():
    given = {"grant": "refresh_token", "client_id": "x", "token_url": "https://login.test/token"}
    row = make.smarthost(mechanism="XOAUTH2", username="relay", **given)
    for token in ("the first", "the second"):
        sealed = smarthost_secrets.sealed({"refresh_token": token}, ring())
        Smarthost.objects.filter(pk=row.pk).update(sealed=sealed)
        if token == "the first":
            row.refresh_from_db()
    row.per_day = 500
    smarthosts.change(row, columns=["per_day"])
    row.refresh_from_db()
    assert (row.per_day, smarthosts.kept_secrets(row)) == (500, {"refresh_token": "the second"})


def test_a_change_leaves_what_another_has_changed_meanwhile():
    row = make.smarthost()
    lane = make.lane("smarthost:office", smarthost=row)
    others = {"hosts": [["other.test", 587, "verified"]], "per_hour": 9}
    Smarthost.objects.filter(pk=row.pk).update(**others)
    row.per_day = 5
    smarthosts.change(row, columns=["per_day"])
    lane.refresh_from_db()
    assert (row.per_day, row.per_hour, row.hosts) == (5, 9, others["hosts"])
    assert lane.hosts == row.lane_hosts
