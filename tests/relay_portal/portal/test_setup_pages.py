"""The pages by which an installation is set up: credentials, domains, people, routes."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from deliveries.models import Destination, Lane, Route
from domains.models import AuditEntry, Credential, Domain, DomainAlertKind, SigningKey
from domains.senders import credentials, domain_alerts
from domains.senders.keys import make_key
from relay_portal.models import User
from suppressions.models import Suppression
from tests.deliveries import make
from tests.fakes.dns import FakeDns
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.django_db

# --- who may send ---------------------------------------------------------------------------------
CREDENTIAL = {
    "name": "app",
    "kind": "password",
    "networks": "",
    "priority": "1",
    "highest_priority": "2",
}


def test_a_credential_shows_its_secret_once(operator):
    project = make.project()
    form = {"project": project.pk, **CREDENTIAL}
    Domain.objects.create(project=project, name="shop.test", token="t", verified_at=timezone.now())
    answer = operator.post("/domains/credential/add/", form)
    shown = dict(answer.context["rows"])
    made = Credential.objects.get(name="app")
    assert shown["User name"] == made.username and credentials.matches(
        shown["Secret"], made.secret_hash
    )
    assert shown["Secret"] not in operator.get(f"/domains/credential/{made.pk}/change/").text
    assert (shown["Host"], shown["Port, STARTTLS"]) == (
        settings.EKIDEN_HOSTNAME,
        settings.EKIDEN_SUBMISSION_PORT,
    )
    laravel = next(each.text for each in answer.context["snippets"] if each.name == "Laravel")
    assert f"MAIL_PASSWORD={shown['Secret']}\nMAIL_FROM_ADDRESS=hello@shop.test" in laravel


def test_after_a_domain_its_records_are_shown(operator):
    form = {"project": make.project().pk, "name": "shop2.test"}
    answer = operator.post("/domains/domain/add/", form, follow=True)
    assert "Publish these records in its DNS" in answer.text
    assert "_domainkey.shop2.test" in answer.text


@pytest.mark.parametrize(
    ("kind", "networks"), [("network", ""), ("network", "0.0.0.0/0"), ("password", "nonsense")]
)
def test_a_credential_with_unfit_networks_is_refused_with_a_reason(operator, kind, networks):
    form = CREDENTIAL | {"project": make.project().pk, "kind": kind, "networks": networks}
    assert operator.post("/domains/credential/add/", form).context["errors"]
    assert not Credential.objects.exists()


def test_a_credential_cannot_get_another_projects_domain(operator):
    domain = Domain.objects.create(project=make.project(), name="other.test", token="t")
    form = {
        "project": make.project().pk,
        "name": "app",
        "kind": "password",
        "networks": "",
        "priority": "1",
        "highest_priority": "2",
        "domains": [domain.pk],
    }
    assert operator.post("/domains/credential/add/", form).context["errors"]


def test_a_credential_shows_its_last_use(operator):
    credential = make.credential(last_used_at="2026-11-24T10:00:00Z", last_used_from="192.0.2.7")
    assert "2026-11-24 10:00:00" in operator.get("/domains/credential/").text
    assert "192.0.2.7" in operator.get(f"/domains/credential/{credential.pk}/change/").text


def test_a_credential_is_revoked_by_a_button(operator):
    credential = make.credential()
    operator.post(f"/domains/credential/{credential.pk}/do/revoke/")
    credential.refresh_from_db()
    assert credential.is_revoked
    assert operator.post(f"/domains/credential/{credential.pk}/do/revoke/").status_code == 404


def test_a_verb_is_no_link(operator):
    assert operator.get(f"/domains/credential/{make.credential().pk}/do/revoke/").status_code == 405


def test_a_new_domain_has_a_key_and_shows_its_records(operator):
    operator.post(
        "/domains/domain/add/",
        {"project": make.project().pk, "name": "Bücher.test", "with_ed25519": "on"},
    )
    domain = Domain.objects.get(name="xn--bcher-kva.test")
    assert domain.keys.count() == 2 and not domain.is_verified
    page = operator.get(f"/domains/domain/{domain.pk}/change/").text
    assert f"ekiden-verification={domain.token}" in page and all(
        key.record_name in page for key in domain.keys.all()
    )


def test_a_domain_that_another_project_verified_is_not_taken_on_ones_word(operator):
    Domain.objects.create(
        project=make.project(), name="shop.test", token="t", verified_at=timezone.now()
    )
    again = Domain.objects.create(project=make.project(), name="shop.test", token="u")
    answer = operator.post(f"/domains/domain/{again.pk}/do/take_on_word/", follow=True)
    again.refresh_from_db()
    assert "Another project" in answer.text and not again.is_verified


def test_a_domain_is_deleted_with_its_keys(operator):
    domain = Domain.objects.create(project=make.project(), name="shop.test", token="t")
    make_key(domain, "ed25519")
    operator.post(f"/domains/domain/{domain.pk}/delete/", {"post": "yes"})
    assert not Domain.objects.exists() and not SigningKey.objects.exists()


def test_a_domain_that_limits_a_credential_stays(operator):
    domain = Domain.objects.create(project=make.project(), name="shop.test", token="t")
    credential = make.credential(domain.project)
    credential.domains.set([domain])
    answer = operator.post(f"/domains/domain/{domain.pk}/delete/", {"post": "yes"}, follow=True)
    assert str(credential) in answer.text and list(credential.domains.all()) == [domain]


def test_a_private_key_is_on_no_page(operator):
    domain = Domain.objects.create(project=make.project(), name="shop.test", token="t")
    operator.post("/domains/signingkey/add/", {"domain": domain.pk, "algorithm": "ed25519"})
    key = SigningKey.objects.get()
    page = operator.get(f"/domains/signingkey/{key.pk}/change/").text
    assert key.public_record in page.replace("&#x27;", "'") and "private" not in page.lower()
    assert bytes(key.private_key).decode("ascii", "ignore")[:40] not in page


def test_a_suppression_is_kept_by_its_canonical_key(operator):
    operator.post(
        "/suppressions/suppression/add/", {"address_key": "Gone@MX.test", "reason": "asked"}
    )
    assert Suppression.objects.get().address_key == "gone@mx.test"


def test_a_new_person_gets_an_invitation_that_the_page_shows(operator):
    form = {
        "username": "sue",
        "role": "support",
        "is_limited": "on",
        "projects": [make.project().pk],
    }
    shown = operator.post("/relay_portal/user/add/", form)
    sue = User.objects.get(username="sue")
    link = dict(shown.context["rows"])["Link"]
    assert link in shown.text and link.startswith("http://testserver/account/invitation/")
    assert not sue.has_usable_password() and sue.role == "support"
    assert "no-store" in shown.headers["Cache-Control"]


def test_nobody_takes_away_their_own_rights(operator):
    otto = User.objects.get(username="otto")
    operator.post(f"/relay_portal/user/{otto.pk}/change/", {"username": "otto"})
    otto.refresh_from_db()
    assert otto.role == "owner" and not otto.is_limited and otto.is_active


# --- where mail goes ------------------------------------------------------------------------------
def test_waiting_mail_follows_a_route_from_the_portal(mail_db):
    browser = verified(person())
    lane = make.lane(paused_until=timezone.now() + timedelta(hours=1))
    make.leads_to(lane, "mx.test")
    browser.post(
        "/deliveries/route/add/",
        {"pattern": "MX.test", "host": "Next.test", "port": "25", "tls": "opportunistic"},
    )
    route, lane = Route.objects.get(), Lane.objects.get(pk=lane.pk)
    assert (route.pattern, route.host, lane.paused_until) == ("mx.test", "next.test", None)
    assert Destination.objects.get().expires_at <= timezone.now()
    Destination.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    browser.post(f"/deliveries/route/{route.pk}/delete/", {"post": "yes"})
    assert not Route.objects.exists() and Destination.objects.get().expires_at <= timezone.now()


def test_a_route_for_nonsense_is_refused(operator):
    form = {"pattern": "no domain", "host": "next.test", "port": "25", "tls": "opportunistic"}
    assert operator.post("/deliveries/route/add/", form).context["errors"]


@pytest.mark.parametrize(
    "wrong", [{"port": "0"}, {"port": "65536"}, {"host": "http://x"}, {"host": "a b"}]
)
def test_a_route_that_leads_nowhere_is_refused_in_words(operator, wrong):
    form = {"pattern": "mx.test", "host": "next.test", "port": "25", "tls": "opportunistic"} | wrong
    page = operator.post("/deliveries/route/add/", form)
    assert (
        page.context["adminform"].form.errors.keys() == wrong.keys()
        and "Constraint" not in page.text
    )


def test_a_domains_page_chooses_its_return_path_and_says_which_one_is_used(operator):
    domain = Domain.objects.create(project=make.project(), name="shop9.test", token="t")
    page = f"/domains/domain/{domain.pk}/change/"
    form = {"return_path_label": "bounce", "rotation_days": "90"}
    answer = operator.post(page, form, follow=True)
    assert "bounce.shop9.test" in answer.text
    assert f"{settings.EKIDEN_HOSTNAME}, until bounce.shop9.test has been found twice" in (
        operator.get(page).text
    )
    for wrong in ({"return_path_label": "a_b"}, {"rotation_days": "-1"}):
        assert operator.post(page, form | wrong).context["errors"]
    domain.refresh_from_db()
    assert (domain.return_path_label, domain.rotation_days) == ("bounce", 90)


def test_a_domains_page_delegates_its_keys_and_takes_them_back(operator, settings):
    settings.EKIDEN_KEY_ZONE = "keys.relay.test"
    domain = Domain.objects.create(project=make.project(), name="shop9.test", token="t")
    page = f"/domains/domain/{domain.pk}/do/"
    said = operator.post(page + "delegate_keys/", follow=True).text
    assert "Publish both CNAMEs" in said and "ekiden2._domainkey.shop9.test" in said
    make_key(domain), make_key(domain)
    form = {"domain": domain.pk, "algorithm": "rsa"}
    refused = operator.post("/domains/signingkey/add/", form)
    assert "Both delegated selectors have a key" in refused.text
    assert "stand in its own zone" in operator.post(page + "keep_keys/", follow=True).text
    entries = AuditEntry.objects.filter(object_id=str(domain.pk)).values_list("action", flat=True)
    assert {"delegate_keys", "keep_keys"} <= set(entries)


def test_the_alert_of_a_broken_return_path_is_on_its_page_and_on_the_first_one(operator):
    domain = Domain.objects.create(project=make.project(), name="shop9.test", token="t")
    given = {"name": "rp.shop9.test", "domain": "shop9.test", "host": "relay.test"}
    kind = DomainAlertKind.RETURN_PATH
    domain_alerts.open_alert(domain, kind, given, now=timezone.now())
    for page in ("/", f"/domains/domain/{domain.pk}/change/"):
        assert "rp.shop9.test of shop9.test does not lead here any more" in operator.get(page).text


def test_a_domain_whose_proof_is_gone_is_shown_as_that(operator):
    now = timezone.now()
    given = {"project": make.project(), "token": "t"}
    Domain.objects.create(name="gone.test", verified_at=now, lost_at=now, **given)
    Domain.objects.create(name="over.test", lapsed_at=now, **given)
    text = operator.get("/domains/domain/").text
    assert "Verified; its proof is gone from DNS" in text
    assert "No longer verified: its proof is gone from DNS" in text


def test_a_button_lets_names_below_a_domain_send_where_dmarc_does(operator, settings):
    domain = Domain.objects.create(project=make.project(), name="shop9.test", token="t")
    page = f"/domains/domain/{domain.pk}/do/"
    strict = {"_dmarc.shop9.test": {"TXT": ["v=DMARC1; p=none; adkim=s"]}}
    with FakeDns(strict, ttl=5) as dns:
        settings.EKIDEN_DNS = [dns.url]
        refused = operator.post(page + "allow_subdomains/", follow=True).text
        assert "_dmarc.shop9.test has adkim=s" in refused
        dns.zones.clear()
        operator.post(page + "allow_subdomains/")
    domain.refresh_from_db()
    assert domain.covers_subdomains
    operator.post(page + "forbid_subdomains/")
    domain.refresh_from_db()
    assert not domain.covers_subdomains
