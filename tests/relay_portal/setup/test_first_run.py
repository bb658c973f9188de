import shlex

import pytest

from deliveries.models import Route
from domains.models import Credential, Domain, Project
from domains.senders.credentials import matches
from relay_portal.console import terminal
from relay_portal.models import User
from relay_portal.setup import first_run
from tests.commands import ekiden
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


def test_a_new_installation_can_be_tried_at_once():
    made = first_run.make()
    assert not User.objects.get(role="owner", is_limited=False).has_usable_password()
    credential = Credential.objects.get(username=made.username)
    assert matches(made.secret, credential.secret_hash)
    domain = Domain.objects.get(project=credential.project)
    assert (domain.is_verified, domain.keys.active().count()) == (True, 1)  # it signs at once
    assert Route.objects.get().is_sandbox


def test_the_welcome_shows_every_secret_and_a_command_to_paste(monkeypatch):
    for name in terminal.NAMES:
        monkeypatch.delenv(name, raising=False)
    made = first_run.make()
    text = first_run.welcome(made)
    assert made.invitation in text and "/account/invitation/" in made.invitation
    assert made.secret in text
    [command] = [line for line in text.splitlines() if "./ekiden send" in line]
    assert command == f"  ./ekiden send hello@{first_run.DOMAIN} you@example.com"


def test_where_it_would_be_kept_no_secret_is_written_but_the_way_to_new_ones():
    text = first_run.welcome_without_secrets()
    words = [
        shlex.split(line)[shlex.split(line).index("./ekiden") + 1 :]
        for line in text.splitlines()
        if "./ekiden" in line
    ]
    assert [name for name, *_ in words] == ["person", "credential", "send"]
    first_run.make()
    for name, *arguments in words[:2]:
        assert "shown" in ekiden(name, *arguments)


def test_a_second_run_makes_nothing():
    first_run.make()
    assert first_run.make() is None
    assert (User.objects.count(), Project.objects.count(), Route.objects.count()) == (1, 1, 1)


def test_an_installation_with_something_in_it_is_left_alone():
    make.project()
    assert first_run.make() is None
    assert not User.objects.exists()
    assert not Route.objects.exists()


def test_a_persons_password_is_kept_as_a_slow_hash():
    user = User.objects.create_user("otto", password="a long enough password 42")
    assert user.password.startswith("argon2$argon2id$")
