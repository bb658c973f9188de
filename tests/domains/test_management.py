import pytest
from django.core.management.base import CommandError

from domains.foundation.text.addresses import readable_domain
from domains.models import Credential, Domain, Project
from domains.senders.credentials import matches
from domains.senders.verification import required_records
from tests.commands import ekiden, ekiden_json
from tests.fakes.dns import FakeDns

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    ekiden("project", "create", "shop")
    return Project.objects.get(name="shop")


def test_a_project_is_created_with_its_settings():
    ekiden(
        "project",
        "create",
        "shop",
        "--lifetime",
        "3600",
        "--retry-schedule",
        "60",
        "120",
        "--sends-reports",
        "no",
    )
    shop = Project.objects.get()
    assert (shop.lifetime, shop.retry_schedule, shop.sends_reports) == (3600, [60, 120], False)


def test_a_project_exists_once(shop):
    with pytest.raises(CommandError, match="There is a project shop already"):
        ekiden("project", "create", "shop")


def test_a_bad_project_name_is_told_in_one_line():
    with pytest.raises(CommandError, match=r"^name: Lower-case letters"):
        ekiden("project", "create", "My Shop")


def test_projects_are_listed_and_shown(shop):
    assert "shop" in ekiden("project", "list")
    assert [each["name"] for each in ekiden_json("project", "list")] == ["shop"]
    assert ekiden_json("project", "show", "shop")["lifetime"] == 432_000
    assert "retry schedule" in ekiden("project", "show", "shop")


def test_only_what_is_given_is_changed(shop):
    ekiden("project", "set", "shop", "--content-days", "3")
    shop.refresh_from_db()
    assert (shop.content_days, shop.log_days) == (3, 90)


def test_changing_nothing_is_a_mistake(shop):
    with pytest.raises(CommandError, match="what to change"):
        ekiden("project", "set", "shop")


def test_an_unknown_project_is_answered_with_those_there_are(shop):
    with pytest.raises(CommandError) as told:
        ekiden("domain", "add", "shop.test", "--project", "shp")
    assert (
        str(told.value)
        == "No such project: shp. There are: shop. Create it: ./ekiden project create shp"
    )


def test_a_domain_comes_with_its_key_and_the_records_to_publish(shop):
    printed = ekiden("domain", "add", "Shop.test", "--project", "shop")
    domain = Domain.objects.get()
    assert (domain.name, domain.is_verified, domain.keys.get().algorithm) == (
        "shop.test",
        False,
        "rsa",
    )
    for record in required_records(domain):
        assert record.name in printed
        assert record.value in printed


def test_a_domain_may_have_both_kinds_of_key(shop):
    ekiden("domain", "add", "shop.test", "--project", "shop", "--ed25519")
    assert {key.algorithm for key in Domain.objects.get().keys.all()} == {"rsa", "ed25519"}


def test_a_unicode_domain_is_shown_as_people_write_it_too(shop):
    ekiden("domain", "add", "日本.test", "--project", "shop", "--assume-verified")
    assert "xn--wgv71a.test (日本.test)" in ekiden("domain", "list")
    assert "xn--wgv71a.test (日本.test) is taken as verified" in ekiden(
        "domain", "show", "日本.test"
    )


@pytest.mark.parametrize("name", ["shop.test", "xn--a.test", "a_b.test", "xn--.test"])
def test_a_domain_without_another_form_is_shown_as_it_is(name):
    assert readable_domain(name) == name


def test_an_operators_word_verifies_a_domain(shop):
    assert ekiden_json("domain", "add", "shop.test", "--project", "shop", "--assume-verified")[
        "is_verified"
    ]
    assert "operator's word" in ekiden("domain", "list")


def test_a_program_reads_what_a_domain_lacks(shop, settings):
    ekiden("domain", "add", "shop.test", "--project", "shop")
    assert [(each["name"], each["is_verified"]) for each in ekiden_json("domain", "list")] == [
        ("shop.test", False)
    ]
    records = ekiden_json("domain", "show", "shop.test")["records"]
    assert {record["purpose"]: record["state"] for record in records} == dict.fromkeys(
        ("ownership", "dkim", "spf", "dmarc", "return-path"), "unchecked"
    )
    assert all(record["name"] and record["value"] for record in records)


def test_two_projects_cannot_both_be_taken_at_their_word(shop):
    ekiden("project", "create", "other")
    ekiden("domain", "add", "shop.test", "--project", "shop", "--assume-verified")
    with pytest.raises(CommandError, match="Another project"):
        ekiden("domain", "add", "shop.test", "--project", "other", "--assume-verified")
    assert Domain.objects.count() == 1


def test_a_domain_in_two_projects_must_be_chosen(shop):
    ekiden("project", "create", "other")
    for project in ("shop", "other"):
        ekiden("domain", "add", "shop.test", "--project", project)
    with pytest.raises(CommandError, match="choose with --project: other, shop"):
        ekiden("domain", "show", "shop.test")
    assert ekiden_json("domain", "show", "shop.test", "--project", "other")["project"] == "other"


def test_what_is_no_domain_is_refused(shop):
    with pytest.raises(CommandError):
        ekiden("domain", "add", "not a domain", "--project", "shop")


def test_a_check_ends_with_1_until_the_domain_is_verified(shop, settings):
    ekiden("domain", "add", "shop.test", "--project", "shop")
    with FakeDns() as dns:
        settings.EKIDEN_DNS = [dns.url]
        with pytest.raises(SystemExit) as ended:
            ekiden("domain", "check", "shop.test")
        assert ended.value.code == 1
        ownership = required_records(Domain.objects.get())[0]
        dns.zones[ownership.name] = {"TXT": [ownership.value]}
        assert "shop.test is verified" in ekiden("domain", "check", "shop.test")


def test_a_new_credential_is_a_user_name_and_its_password(shop):
    shown = ekiden_json(
        "credential", "create", "--project", "shop", "--name", "app", "--per-minute", "9"
    )
    credential = Credential.objects.get()
    assert shown.keys() == {"username", "password"}
    assert credential.username == shown["username"]
    assert matches(shown["password"], credential.secret_hash)
    assert credential.per_minute == 9


def test_a_credential_may_be_held_to_domains(shop):
    ekiden("domain", "add", "shop.test", "--project", "shop")
    ekiden(
        "credential",
        "create",
        "--project",
        "shop",
        "--name",
        "app",
        "--domain",
        "shop.test",
        "--priority",
        "urgent",
    )
    [facts] = ekiden_json("credential", "list")
    assert (facts["domains"], facts["priority"]) == (["shop.test"], "urgent")


def test_the_priorities_of_a_credential_are_set_and_shown(shop):
    ekiden(
        "credential",
        "create",
        "--project",
        "shop",
        "--name",
        "app",
        "--priority",
        "bulk",
        "--highest-priority",
        "normal",
    )
    [facts] = ekiden_json("credential", "list")
    assert (facts["priority"], facts["highest_priority"]) == ("bulk", "normal")
    assert "highest priority of shop/app" in ekiden(
        "credential", "set", "app", "--project", "shop", "--highest-priority", "urgent"
    )
    [facts] = ekiden_json("credential", "list")
    assert (facts["priority"], facts["highest_priority"]) == ("bulk", "urgent")


@pytest.mark.parametrize(
    "words", [["create", "--project", "shop", "--name", "new"], ["set", "app", "--project", "shop"]]
)
def test_a_credential_cannot_be_more_urgent_than_its_messages_may(shop, words):
    ekiden("credential", "create", "--project", "shop", "--name", "app")
    with pytest.raises(CommandError, match="above the highest"):
        ekiden("credential", *words, "--priority", "urgent", "--highest-priority", "bulk")


def test_a_trusted_network_needs_its_network(shop):
    with pytest.raises(CommandError, match="at least one client network"):
        ekiden("credential", "create", "--project", "shop", "--name", "lan", "--kind", "network")
    printed = ekiden(
        "credential",
        "create",
        "--project",
        "shop",
        "--name",
        "lan",
        "--kind",
        "network",
        "--network",
        "192.0.2.0/24",
    )
    assert "192.0.2.0/24" in printed


def test_the_last_use_of_a_credential_is_told(shop):
    ekiden("credential", "create", "--project", "shop", "--name", "app")
    assert "never" in ekiden("credential", "list")
    Credential.objects.update(last_used_at="2026-11-24T10:00:00Z", last_used_from="192.0.2.7")
    assert "2026-11-24 10:00" in ekiden("credential", "list")
    assert [each["last_used_from"] for each in ekiden_json("credential", "list")] == ["192.0.2.7"]


def test_no_list_shows_a_secret(shop):
    shown = ekiden_json("credential", "create", "--project", "shop", "--name", "app")
    assert shown["password"] not in ekiden("credential", "list") + ekiden(
        "credential", "list", "--json"
    )


@pytest.mark.parametrize("by_user_name", [True, False])
def test_a_credential_is_revoked_by_either_name(shop, by_user_name):
    username = ekiden_json("credential", "create", "--project", "shop", "--name", "app")["username"]
    ekiden("credential", "revoke", *([username] if by_user_name else ["app", "--project", "shop"]))
    assert Credential.objects.get().is_revoked
    assert "revoked" in ekiden("credential", "list")


def test_an_unknown_credential_is_a_mistake():
    with pytest.raises(CommandError, match="No such credential: app"):
        ekiden("credential", "revoke", "app")
