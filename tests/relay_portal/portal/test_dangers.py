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
        answer = getattr(late, method)(address, {"reason": "because", "assume": "on"})
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


# Every other act, and why a stolen session may have it: a new one belongs here or in the table.
HARMLESS = {
    # it shows something; the audit log keeps who looked
    "deliveries.inboundmail": {"reveal", "show_content"},
    "deliveries.refusal": {"reveal"},
    "smtp_listener.sandboxmessage": {"show_content"},
    "domains.domain": {
        "change", "check_now", "print",
        # what DNS says decides, or the same button takes it back
        "allow_subdomains", "forbid_subdomains", "delegate_keys", "keep_keys",
    },
    "deliveries.message": {
        "reveal", "show_content", "note_next",
        # a person's own searches
        "find", "save", "forget",
    },
    "deliveries.messageexport": {"drop"},  # a copy
    "domains.credential": {"change", "pause", "resume", "flush", "send_test", "use"},
    "domains.project": {"add", "change", "pause", "resume", "flush", "use"},
    "domains.signingkey": {"add", "rotate", "start_signing"},  # the old key signs on meanwhile
    # the same page takes it back, or it only goes slower
    "deliveries.lane": {"pause", "resume", "flush"},
    "deliveries.stop": {"add", "resume"},
    "deliveries.order": {"stop_order"},
    "deliveries.source": {"rest", "warm_up"},  # less mail by it
    "deliveries.smarthost": {"try_login"},
    "deliveries.warmupplan": {"add", "change"},
    "deliveries.shapingrule": {"add", "change", "delete", "reset"},
    "deliveries.providerlimit": {"add", "change", "delete"},
    "deliveries.receiverdemand": {"change", "reset"},
    "deliveries.localrule": {"add", "change", "delete"},
    "deliveries.reclassification": {"add", "apply"},
    # fewer addresses get mail, which a lift undoes
    "suppressions.suppression": {"add", "reveal"},
    "suppressions.policy": {"add", "change", "dry_run"},
    "suppressions.import": {"add", "start", "drop"},
    "suppressions.brake": {"believe", "forget"},
    # jobs and set-aside items hold ids; the schedule finds again what is to be done
    "queues": {"delete", "requeue"},
    "domains.setaside": {"try_again", "drop"},
}  # fmt: skip
LOOKS = {"see", "changelist", "history", "do"}


def acts():
    """Return (page, verb) of all that the matrix and the addresses know."""
    for page, may in RIGHTS.items():
        yield from ((page, verb) for verb in may.verbs)
        seen = {"change", "delete"} - may.verbs  # Django's addresses, which answer 403
        yield from (
            (page, verb)
            for _, name in every_path()
            if (verb := name.removeprefix(f"admin:{page.replace('.', '_')}_")) != name
            and verb not in seen | {"add"} - may.verbs
        )


def test_every_act_is_dangerous_or_known_to_be_harmless():
    dangerous = {(page, verb) for page, verbs in DANGEROUS.items() for verb in verbs}
    harmless = {(page, verb) for page, verbs in HARMLESS.items() for verb in verbs}
    assert {each for each in acts() if each[1] not in LOOKS} == dangerous | harmless
    assert not dangerous & harmless


def test_where_mail_leaves_from_and_who_is_let_in_is_in_the_table():
    for page in ("source", "pool", "egressrule", "smarthost", "route"):
        changes = RIGHTS[f"deliveries.{page}"].verbs & {"add", "change", "delete"}
        assert changes <= DANGEROUS[f"deliveries.{page}"], page
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


def test_a_domain_is_added_without_and_on_a_persons_word_only_with_the_factor(late):
    new, given = reverse("admin:domains_domain_add"), {"project": make.project().pk}
    late.post(new, given | {"name": "shop.example"})
    assert not Domain.objects.get().is_verified
    answer = late.post(new, given | {"name": "bank.example", "assume": "on"})
    assert answer.headers["Location"].startswith(ASKS)
    assert Domain.objects.count() == 1


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
