"""The credential that `send` issues for its one message.

That the message gets through is the journeys' to show.
"""

import pytest
from django.utils import timezone

from domains.models import Credential, Domain
from domains.senders.credentials import matches
from relay_portal.console.test_message import NotSent, own_login
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


@pytest.fixture
def project():
    project = make.project()
    Domain.objects.create(project=project, name="shop.test", token="x", verified_at=timezone.now())
    return project


def test_it_is_good_for_one_message(project):
    with own_login("me@shop.test") as (username, secret):
        credential = Credential.objects.usable().get(username=username)
        assert matches(secret, credential.secret_hash) and credential.project == project
    assert not Credential.objects.usable().exists()


def test_the_next_message_has_new_words_for_the_same_credential(project):
    with own_login("me@shop.test") as first:
        pass
    with own_login("me@shop.test") as second:
        credential = Credential.objects.get()
        assert credential.username == second[0]
        assert not matches(first[1], credential.secret_hash)
    assert first[0] != second[0]


def test_two_at_once_do_not_share_one(project):
    with own_login("me@shop.test") as first, own_login("me@shop.test") as second:
        assert first[0] != second[0]
        assert Credential.objects.usable().count() == 2


def test_a_credential_of_a_person_is_never_brought_back(project):
    mine = make.credential(project, name="send-orders", revoked_at=timezone.now())
    with own_login("me@shop.test"):
        mine.refresh_from_db()
        assert mine.is_revoked


def test_only_a_verified_domain_sends(project):
    Domain.objects.update(verified_at=None)
    with pytest.raises(NotSent, match=r"shop\.test"), own_login("me@shop.test"):
        pass
