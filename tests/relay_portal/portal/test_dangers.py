"""The second factor again: every dangerous address, walked with one shown too long ago."""

from pathlib import Path

import pytest
from django.urls import reverse
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from two_factor.plugins.webauthn.models import WebauthnDevice

from domains.foundation.rights import RIGHTS
from domains.models import Domain
from relay_portal.access import dangers
from relay_portal.access.dangers import ACCOUNT, DANGEROUS
from relay_portal.access.fresh_factor import SHOWN_AT
from relay_portal.models import User
from tests.deliveries import make
from tests.relay_portal.portal.conftest import code, person, verified
from tests.relay_portal.portal.test_walk import every_path, filled

pytestmark = pytest.mark.django_db

ASKS = "/account/confirm/?next="


def stale(user):
    """Return a client whose second factor was shown an hour ago."""
    client = verified(user)
    session = client.session
    session[SHOWN_AT] -= 3600
    session.save()
    return client


@pytest.fixture
def late(db):
    return stale(person())


def addresses():
    """Return (method, address) of everything dangerous."""
    names = {name: filled(route) for route, name in every_path()}
    for page, verbs in DANGEROUS.items():
        shown = f"admin:{page.replace('.', '_')}"
        for verb in sorted(verbs):
            address = names.get(f"{shown}_{verb}") or names[f"{shown}_do"].replace("revoke", verb)
            yield "post", address
            if verb == "export":
                yield "get", address
    yield from (("post", names[name]) for name in sorted(ACCOUNT))


def test_every_dangerous_address_asks_for_the_factor_again(late):
    for method, address in addresses():
        answer = getattr(late, method)(address, {"reason": "because"})
        assert answer.headers.get("Location", "").startswith(ASKS), (method, address)


def test_none_of_them_asks_who_has_just_shown_it():
    fresh = verified(person())
    for method, address in addresses():
        answer = getattr(fresh, method)(address)
        assert not answer.headers.get("Location", "").startswith(ASKS), (method, address)


def test_looking_asks_nobody(late):
    for method, address in addresses():
        if method == "post" and "/export/" not in address:
            answer = late.get(address)
            assert not answer.headers.get("Location", "").startswith(ASKS), address


def test_what_deletes_for_good_or_lets_people_in_is_in_the_table():
    harmless = {
        "deliveries.shapingrule", "deliveries.localrule", "queues", "deliveries.tenantrule",
        "deliveries.egressrule", "deliveries.pool",
    }  # fmt: skip
    deleting = {page for page, rights in RIGHTS.items() if "delete" in rights.verbs} - harmless
    assert deleting == {page for page, verbs in DANGEROUS.items() if "delete" in verbs}
    assert RIGHTS["relay_portal.user"].verbs - {"see"} == DANGEROUS["relay_portal.user"]


def test_what_was_begun_is_kept_and_done_by_a_button_afterwards():
    otto, sue = person(), person("sue", operator=False)
    late = stale(otto)
    form = {"username": "sue", "email": "", "role": "auditor", "is_active": "on"}
    asks = late.post(f"/relay_portal/user/{sue.pk}/change/", form).headers["Location"]
    assert User.objects.get(pk=sue.pk).role == "support"
    shown = late.post(asks, {"token-otp_token": code(otto.totpdevice_set.get())})
    assert shown.headers["Location"] == "/account/confirm/repeat/"
    page = late.get("/account/confirm/repeat/")
    assert page.context["place"] == f"/relay_portal/user/{sue.pk}/change/"
    late.post(page.context["place"], dict(page.context["fields"]))
    assert User.objects.get(pk=sue.pk).role == "auditor"
    assert late.get("/account/confirm/repeat/").headers["Location"] == "/"


def test_a_wrong_code_does_nothing_and_a_recovery_code_serves():
    otto = person()
    late = stale(otto)
    domain = Domain.objects.create(project=make.project(), name="gone.test", token="t")
    place = f"/domains/domain/{domain.pk}/delete/"
    asks = late.post(place, {"post": "yes"}).headers["Location"]
    assert late.post(asks, {"token-otp_token": "000000"}).status_code == 200
    assert late.post(place, {"post": "yes"}).headers["Location"].startswith(ASKS)
    StaticDevice.objects.create(user=otto, name="backup").token_set.create(token="abcdefgh")
    answer = late.post(f"{asks}&with=recovery", {"token-otp_token": "abcdefgh"})
    assert answer.headers["Location"] == "/account/confirm/repeat/"
    late.post(place, {"post": "yes"})
    assert not Domain.objects.filter(pk=domain.pk).exists()


def test_one_address_is_lifted_without_and_many_only_with_the_factor(late):
    lift = reverse("admin:suppressions_suppression_lift")
    assert late.post(lift, {"ids": "1", "reason": "asked"}).status_code == 200
    assert late.post(lift, {"ids": "1,2"}).headers["Location"].startswith(ASKS)
    assert late.post(lift, {"q": "a"}).headers["Location"].startswith(ASKS)


def test_who_has_a_passkey_is_asked_for_it():
    otto = person()
    TOTPDevice.objects.all().delete()
    key = WebauthnDevice.objects.create(
        user=otto, name="default", key_handle="aGFuZGxl", public_key="a2V5", sign_count=0
    )
    TOTPDevice.objects.create(user=otto, name="other")
    late = stale(otto)
    page = late.get(f"{ASKS}/")
    assert "aGFuZGxl" in late.session["webauthn_request_options"] and key.name == "default"
    assert "get_credential.js" in page.text
    for answer in ("{}", ""):  # the second time without a challenge
        assert late.post(f"{ASKS}/", {"token-otp_token": answer}).status_code == 200
    place = late.post("/relay_portal/user/add/").headers["Location"]
    assert place.startswith(ASKS)  # none of it has counted


def test_the_way_afterwards_leads_nowhere_else(late):
    user = User.objects.get()
    token = {"token-otp_token": code(user.totpdevice_set.get())}
    answer = late.post("/account/confirm/?next=https://evil.test/", token)
    assert answer.headers["Location"] == "/"


def test_the_docs_hold_the_dangers():
    docs = (Path(__file__).parents[3] / "docs/operations.md").read_text(encoding="utf-8")
    assert "\n".join(dangers.table()) in docs
