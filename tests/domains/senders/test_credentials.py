import pytest
from django.core.exceptions import ValidationError

from domains.models import Credential, Project
from domains.senders.credentials import hash_secret, issue, matches, new_secret

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return Project.objects.create(name="shop")


def test_a_secret_holds_at_least_160_random_bits(shop):
    _, one = issue(shop, "one")
    _, two = issue(shop, "two")
    assert len(one) * 6 >= 160  # each character of the URL-safe alphabet is 6 bits
    assert one != two


def test_only_a_hash_of_the_secret_is_stored(shop):
    credential, secret = issue(shop, "app")
    row = Credential.objects.values().get(pk=credential.pk)
    assert secret not in str(row)
    assert matches(secret, row["secret_hash"])


def test_another_secret_does_not_match(shop):
    credential, secret = issue(shop, "app")
    assert not matches(secret + "x", credential.secret_hash)
    assert not matches("", credential.secret_hash)


def test_a_secret_that_is_no_utf8_is_just_wrong(shop):
    credential, _ = issue(shop, "app")
    assert not matches("\udcff", credential.secret_hash)


def test_the_hash_is_keyed_to_its_purpose():
    assert hash_secret("abc") == hash_secret("abc")
    assert len(hash_secret("abc")) == 32


def test_the_user_name_tells_whose_it_is(shop):
    credential, _ = issue(shop, "app")
    assert credential.username.startswith("shop-app-")


def test_the_longest_names_still_make_a_user_name():
    credential, _ = issue(Project.objects.create(name="p" * 63), "n" * 63)
    assert len(credential.username) <= 128


def test_limits_are_kept(shop):
    credential, _ = issue(shop, "app", per_minute=5, max_size=1000)
    assert (credential.per_minute, credential.max_size, credential.per_day) == (5, 1000, None)


def test_a_trusted_network_has_no_secret(shop):
    credential, secret = issue(
        shop, "lan", kind="network", networks=["192.0.2.0/24", "2001:db8::1"]
    )
    assert (secret, credential.username, credential.secret_hash) == ("", None, None)
    assert credential.networks == ["192.0.2.0/24", "2001:db8::1/128"]


@pytest.mark.parametrize(
    "networks", [[], ["0.0.0.0/0"], ["::/0"], ["192.0.2.0/99"], ["192.0.2.1/24"], ["lan"]]
)
def test_a_trusted_network_must_be_one(shop, networks):
    with pytest.raises(ValidationError):
        issue(shop, "lan", kind="network", networks=networks)
    assert not Credential.objects.exists()


@pytest.mark.parametrize("name", ["", "Shop", "a b", "-a", "a" * 64])
def test_a_name_must_be_plain(shop, name):
    with pytest.raises(ValidationError):
        issue(shop, name)


def test_a_name_is_given_once_in_a_project(shop):
    issue(shop, "app")
    with pytest.raises(ValidationError):
        issue(shop, "app")


def test_a_secret_is_no_option_of_a_command_line():
    made = {new_secret() for _ in range(500)}
    assert len(made) == 500
    assert not any(secret.startswith("-") for secret in made)
