"""Networks that may log in: who is refused, before what, and how nobody shuts themselves out."""

from io import StringIO
from ipaddress import ip_address, ip_network

import pytest
from axes.models import AccessAttempt
from django.core.management import call_command
from django.test import Client

from domains.foundation.command import CommandError
from domains.models import AuditEntry
from relay_portal.access.networks import allows
from relay_portal.models import LogInNetwork
from tests.relay_portal.portal.conftest import PASSWORD, code, person, verified
from tests.relay_portal.portal.test_login import give_password, give_token

pytestmark = pytest.mark.django_db

PAGE = "/relay_portal/loginnetwork/"
WORDS = "may not be used from your network"
OFFICE = {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}
ELSEWHERE = {"HTTP_X_FORWARDED_FOR": "198.51.100.7"}


def allow(*networks, role=""):
    for network in networks:
        LogInNetwork.objects.create(network=network, role=role)


def run(*words):
    out = StringIO()
    call_command("network", *words, stdout=out)
    return out.getvalue()


CASES = [
    ([], "owner", "192.0.2.1", True),
    ([("", "192.0.2.0/24")], "owner", "192.0.2.1", True),
    ([("", "192.0.2.0/24")], "owner", "2001:db8::1", False),
    ([("", "2001:db8::/32")], "owner", "2001:db8::1", True),
    ([("owner", "192.0.2.0/24")], "support", "203.0.113.1", True),
    ([("owner", "192.0.2.0/24"), ("", "203.0.113.0/24")], "owner", "203.0.113.1", False),
    ([("owner", "192.0.2.0/24"), ("owner", "203.0.113.1")], "owner", "203.0.113.1", True),
    ([("", "192.0.2.0/24")], "owner", None, False),
]


@pytest.mark.parametrize(("rules", "role", "address", "is_good"), CASES)
def test_the_networks_of_the_role_count_then_those_for_everybody(rules, role, address, is_good):
    read = [(of, ip_network(network)) for of, network in rules]
    assert allows(read, role, address and ip_address(address)) is is_good


def test_from_elsewhere_the_password_is_not_looked_at():
    person()
    allow("192.0.2.0/24")
    for name, password in (("otto", PASSWORD), ("otto", "wrong"), ("nobody", "wrong")):
        answer = give_password(Client(), name, password, **ELSEWHERE)
        assert (answer.status_code, WORDS in answer.text) == (403, True)
    assert not AccessAttempt.objects.exists()
    assert give_password(Client(), **OFFICE).context["wizard"]["steps"].current == "token"


def test_the_second_step_is_refused_from_elsewhere_as_well(client):
    user = person()
    allow("127.0.0.0/8")
    give_password(client)
    token = code(user.totpdevice_set.get())
    moved = client.post(
        "/account/login/",
        {"token-otp_token": token, "log_in-current_step": "token"},
        **ELSEWHERE,
    )
    assert moved.status_code == 403
    assert give_token(client, token).status_code == 302


def test_a_role_may_be_kept_to_its_own_network(client):
    person(), person("sue", operator=False)
    allow("192.0.2.0/24", role="owner")
    assert give_password(client, **ELSEWHERE).status_code == 403
    assert give_password(Client(), "sue", **ELSEWHERE).status_code == 200


def test_a_lie_about_the_address_changes_nothing():
    person()
    allow("192.0.2.0/24")
    forged = {"HTTP_X_FORWARDED_FOR": "192.0.2.7, 198.51.100.7"}
    assert give_password(Client(), **forged).status_code == 403
    direct = {"REMOTE_ADDR": "198.51.100.7", **OFFICE}
    assert give_password(Client(), **direct).status_code == 403


def test_a_session_that_is_carried_elsewhere_ends(operator):
    allow("127.0.0.0/8")
    assert operator.get("/").status_code == 200
    assert operator.get("/", **ELSEWHERE).status_code == 403
    assert operator.get("/").status_code == 302


def test_a_rule_that_shuts_out_who_saves_it_is_refused(operator):
    answer = operator.post(f"{PAGE}add/", {"network": "192.0.2.0/24", "role": "", "note": ""})
    assert "This would shut you out: you come from 127.0.0.1" in answer.text
    assert not LogInNetwork.objects.exists()
    operator.post(f"{PAGE}add/", {"network": "192.0.2.0/24", "role": "support", "note": ""})
    operator.post(f"{PAGE}add/", {"network": "127.0.0.1", "role": "", "note": "here"})
    assert LogInNetwork.objects.count() == 2


def test_a_change_or_deletion_that_shuts_out_is_refused_as_well(operator):
    allow("127.0.0.1", "192.0.2.0/24")
    row = LogInNetwork.objects.get(network="127.0.0.1")
    operator.post(f"{PAGE}{row.pk}/change/", {"network": "203.0.113.0/24", "role": ""})
    answer = operator.post(f"{PAGE}{row.pk}/delete/", {"post": "yes"}, follow=True)
    assert "This would shut you out" in answer.text
    assert LogInNetwork.objects.filter(network="127.0.0.1").exists()
    other = LogInNetwork.objects.get(network="192.0.2.0/24")
    operator.post(f"{PAGE}{other.pk}/delete/", {"post": "yes"})
    operator.post(f"{PAGE}{row.pk}/delete/", {"post": "yes"})
    assert not LogInNetwork.objects.exists()


def test_what_is_no_network_is_told(operator):
    given = {"network": "192.0.2.7/24", "role": "", "note": ""}
    assert "192.0.2.7/24 is no network" in operator.post(f"{PAGE}add/", given).text


def test_the_command_is_the_way_back_in():
    user = person()
    assert run("add", "192.0.2.0/24") == "Everybody may log in from 192.0.2.0/24.\n"
    run("add", "2001:db8::/32", "--role", "owner")
    assert give_password(Client()).status_code == 403
    run("remove", "2001:db8::/32", "--role", "owner")
    assert "192.0.2.0/24  everybody" in run("list")
    assert run("clear") == "1 removed: people may log in from everywhere.\n"
    assert verified(user).get("/").status_code == 200
    actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["add", "add", "delete", "delete"]


def test_the_command_says_what_is_wrong():
    run("add", "192.0.2.0/24")
    for words, said in (
        (("add", "192.0.2.0/24"), "there already"),
        (("add", "office"), "office is no network"),
        (("remove", "203.0.113.0/24"), "no such rule"),
    ):
        with pytest.raises(CommandError, match=said):
            run(*words)
