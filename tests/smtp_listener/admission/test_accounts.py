"""Who a client is: looked up in PostgreSQL, at most a second old."""

import asyncio
import time
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
from django.utils import timezone

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.message.ids import first_id_of
from domains.models import Credential, Domain
from domains.senders.credentials import issue
from smtp_listener.admission.accounts import KEEP, Accounts
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")

HOME, STRANGE = ip_address("192.0.2.7"), ip_address("198.51.100.1")


@asynccontextmanager
async def accounts():
    opened = Accounts(Database("test"))
    try:
        yield opened
    finally:
        await opened.close()


def ask(question):
    """Return the answer of fresh accounts to `question(accounts)`."""

    async def main():
        async with accounts() as opened:
            return await question(opened)

    return asyncio.run(main())


def named(username):
    return ask(lambda opened: opened.named(username))


@pytest.fixture
def project():
    project = make.project()
    for name, verified_at in (("shop.test", timezone.now()), ("unproven.test", None)):
        Domain.objects.create(project=project, name=name, token="x", verified_at=verified_at)
    return project


def test_an_account_has_the_limits_and_the_verified_domains_of_its_project(project):
    credential, _ = issue(project, "app", max_size=1000, per_day=5)
    account = named(credential.username)
    assert (account.max_size, account.per_day, account.per_minute, account.domains) == (
        1000,
        5,
        None,
        ["shop.test"],
    )
    assert account.sender.lifetime == project.lifetime


def test_a_domain_whose_trust_has_ended_may_not_send(project):
    credential, _ = issue(project, "app")
    Domain.objects.filter(name="shop.test").update(verified_at=None, lapsed_at=timezone.now())
    account = named(credential.username)
    assert (account.domains, account.lapsed) == ([], ["shop.test"])


def test_a_credential_may_be_held_to_some_domains(project):
    other = Domain.objects.create(
        project=project, name="other.test", token="x", verified_at=timezone.now()
    )
    credential, _ = issue(project, "app", domains=[other])
    assert named(credential.username).domains == ["other.test"]


def test_an_unknown_name_and_a_networks_name_are_nobody(project):
    credential, _ = issue(project, "lan", kind="network", networks=["192.0.2.0/24"])
    assert named("nobody") is None
    assert named(credential.username or "lan") is None


def test_a_revoked_credential_is_gone_within_a_second(project):
    credential, _ = issue(project, "app")

    with asyncio.Runner() as runner:
        opened = Accounts(Database("test"))
        assert runner.run(opened.named(credential.username)) is not None
        Credential.objects.update(revoked_at=timezone.now())
        time.sleep(KEEP + 0.05)
        assert runner.run(opened.named(credential.username)) is None
        runner.run(opened.close())
    assert KEEP <= 1


def test_a_trusted_network_is_an_account_without_a_secret(project):
    issue(project, "lan", kind="network", networks=["192.0.2.0/24"])
    assert ask(lambda opened: opened.trusted(HOME)).kind == "network"
    assert ask(lambda opened: opened.trusted(STRANGE)) is None


def test_a_password_credential_with_networks_trusts_nobody_by_address(project):
    credential, _ = issue(project, "app", networks=["192.0.2.0/24"])
    assert ask(lambda opened: opened.trusted(HOME)) is None
    account = named(credential.username)
    assert (account.is_open_to(HOME), account.is_open_to(STRANGE)) == (True, False)


def test_messages_are_counted_for_this_credential_alone(project):
    credential = make.credential(project)
    make.message(project, credential_id=credential.pk)
    make.message(project, credential_id=make.credential(project).pk)
    midnight = first_id_of(timezone.now().replace(hour=0, minute=0, second=0, microsecond=0))
    account = named(credential.username)
    assert ask(lambda opened: opened.messages_since(account, midnight)) == 1


def test_the_last_use_is_written_down(project):
    credential, _ = issue(project, "app")

    async def use(opened):
        opened.note_use(credential.pk, HOME)
        await opened.write_uses()

    ask(use)
    credential.refresh_from_db()
    assert credential.last_used_from == "192.0.2.7"
    assert credential.last_used_at is not None


def test_a_use_that_postgresql_did_not_take_is_written_the_next_time(project):
    credential, _ = issue(project, "worker")

    async def use(opened):
        opened.note_use(credential.pk, HOME)
        fetch = opened._database.fetch

        async def away(*args, **given):
            raise DatabaseUnavailable("away")

        opened._database.fetch = away
        with pytest.raises(DatabaseUnavailable):
            await opened.write_uses()
        opened._database.fetch = fetch
        await opened.write_uses()

    ask(use)
    credential.refresh_from_db()
    assert credential.last_used_from == "192.0.2.7"


def test_without_postgresql_nobody_is_told_to_be_unknown():
    class Unreachable(Database):
        async def fetch(self, *args, **given):
            raise DatabaseUnavailable("connection refused")

    with pytest.raises(DatabaseUnavailable):
        asyncio.run(Accounts(Unreachable("test")).named("app"))
