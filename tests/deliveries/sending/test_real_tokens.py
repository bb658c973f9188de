"""Access tokens of an authorization server, and a Postfix whose Dovecot asks it whether they
hold.
"""

import asyncio
import socket

import pytest
from django.utils import timezone

from deliveries.backends import access_tokens
from deliveries.backends.database import Database
from deliveries.models import Attempt, Delivery, Lane, SmarthostToken
from deliveries.routing import smarthost_secrets, smarthosts
from deliveries.sending import smarthost_trial
from deliveries.sending.smarthost_logins import SmarthostLogins
from domains.models import AuditEntry
from domains.senders.keys import ring
from tests.deliveries import make
from tests.deliveries.sending.real_smarthosts import deliver, led, need
from tests.fakes import authorization_server
from tests.fakes.authorization_server import AuthorizationServer
from tests.fakes.real_smarthost import NAME, USERNAME, RealSmarthost

pytestmark = [
    pytest.mark.peer,
    pytest.mark.usefixtures("mail_db", "trusting"),
    pytest.mark.timeout(600),
]
BY_TOKEN = {"mechanism": "XOAUTH2", "grant": "client_credentials", "client_id": "relay"}
CLIENT = {smarthost_secrets.CLIENT_SECRET: "client secret"}


@pytest.fixture(scope="module")
def tokens():
    need("oauth2-mock-server (npm)" if authorization_server.is_missing() else "")
    with AuthorizationServer(USERNAME) as server:
        yield server


@pytest.fixture(scope="module")
def postfix(authority, tokens):
    need()
    with RealSmarthost(authority, introspection=tokens.introspection_url) as server:
        yield server


@pytest.fixture(autouse=True)
def usual(tokens):
    tokens.told(lifetime=3600, error="", refused=False, rotates=False)


@pytest.fixture
def smarthost(postfix, tokens):
    return led_by_token(postfix, tokens)


def led_by_token(postfix, tokens, secrets=CLIENT, **given):
    given = BY_TOKEN | {"username": USERNAME, "token_url": tokens.token_url} | given
    row = led([[NAME, postfix.port, "verified"]], password="", **given)
    row.sealed = smarthost_secrets.sealed(secrets, ring())
    row.save()
    return row


def given_by(tokens):
    return tokens.told()["given"]


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_mail_leaves_by_a_token(settings, postfix, tokens, mechanism):
    led_by_token(postfix, tokens, mechanism=mechanism)
    before = given_by(tokens)
    for number in range(5):
        make.delivery(f"box{number}@mx.test")
    deliver(settings)
    assert {attempt.outcome for attempt in Attempt.objects.all()} == {"delivered"}, postfix.words()
    assert given_by(tokens) == before + 1  # one for all connections


def test_a_refresh_token_serves_and_a_newer_one_is_kept(settings, postfix, tokens):
    secrets = {"client_secret": "client secret", "refresh_token": "the first"}
    row = led_by_token(postfix, tokens, secrets, grant="refresh_token")
    tokens.told(rotates=True)
    make.delivery("box@mx.test")
    deliver(settings)
    row.refresh_from_db()
    assert tokens.told()["asked"][-1]["refresh_token"] == "the first"
    kept = smarthosts.kept_secrets(row)
    assert kept["client_secret"] == "client secret" and len(kept["refresh_token"]) == 36


def test_a_token_is_renewed_before_it_ends(settings, smarthost, tokens):
    make.delivery("box@mx.test")
    deliver(settings)
    now, before = timezone.now(), given_by(tokens)
    got_at = now - timezone.timedelta(hours=1)
    expires_at = now + timezone.timedelta(seconds=200)
    SmarthostToken.objects.update(got_at=got_at, expires_at=expires_at)
    make.delivery("box2@mx.test")
    deliver(settings, until=lambda: SmarthostToken.objects.get().got_at > got_at)
    assert given_by(tokens) == before + 1
    assert not Attempt.objects.exclude(outcome="delivered").exists()


def test_a_token_that_has_ended_is_not_said(settings, smarthost, tokens):
    make.delivery("box@mx.test")
    deliver(settings)
    tokens.told(revoke=True)
    now = timezone.now()
    SmarthostToken.objects.update(got_at=now - timezone.timedelta(hours=1), expires_at=now)
    make.delivery("box2@mx.test")
    deliver(settings)
    assert Attempt.objects.filter(outcome="delivered").count() == Attempt.objects.count() == 2


def test_a_revoked_token_costs_nothing_but_another(settings, smarthost, tokens):
    make.delivery("box@mx.test")
    deliver(settings)
    tokens.told(revoke=True)
    before = given_by(tokens)
    make.delivery("box2@mx.test")
    deliver(settings)
    assert {attempt.outcome for attempt in Attempt.objects.all()} == {"delivered"}
    assert given_by(tokens) == before + 1
    assert Lane.objects.filter(closed_at__isnull=False).count() == 0


def test_after_two_refusals_the_lane_waits_for_a_person(settings, smarthost, tokens):
    tokens.told(refused=True)
    before = given_by(tokens)
    make.delivery("box@mx.test")
    deliver(settings, until=AuditEntry.objects.filter(action="alert").exists)
    lane, delivery = Lane.objects.get(site="smarthost:office"), Delivery.objects.get()
    assert lane.close_reason.startswith("535 5.7.8") and given_by(tokens) == before + 2
    assert (delivery.state, delivery.attempt_count) == ("deferred", 0)
    assert Attempt.objects.get().stage == "auth"
    tokens.told(refused=False)
    smarthosts.change(smarthost, columns=[])
    Delivery.objects.update(due_at=timezone.now())
    deliver(settings)
    assert Delivery.objects.get().state == "delivered"


def test_a_grant_that_was_taken_back_closes_the_lane(settings, smarthost, tokens):
    tokens.told(error="invalid_grant")
    make.delivery("box@mx.test")
    deliver(settings, until=AuditEntry.objects.filter(action="alert").exists)
    lane = Lane.objects.get(site="smarthost:office")
    assert "invalid_grant: as it was told" in lane.close_reason
    assert Delivery.objects.get().state == "deferred" and "client secret" not in lane.close_reason


@pytest.mark.parametrize("is_silent", [True, False], ids=["silent", "away"])
def test_an_authorization_server_without_an_answer_is_waited_for(
    settings, smarthost, monkeypatch, is_silent
):
    monkeypatch.setattr(access_tokens, "PATIENCE", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if is_silent else 1
        smarthost.token_url = f"http://127.0.0.1:{port}/token"
        smarthost.save()
        make.delivery("box@mx.test")
        deliver(settings, until=lambda: Lane.objects.filter(paused_until__isnull=False).exists())
    lane, delivery = Lane.objects.get(site="smarthost:office"), Delivery.objects.get()
    sentence = "did not answer within 1 seconds" if is_silent else "could not be reached"
    assert lane.closed_at is None and sentence in lane.pause_reason
    assert (delivery.state, delivery.attempt_count) == ("deferred", 0)


def test_of_many_workers_one_asks_for_the_token(smarthost, tokens):
    before, known = given_by(tokens), smarthost_trial.of_row(smarthost)

    async def main():
        workers = [SmarthostLogins(Database(f"test {number}")) for number in range(4)]
        logins = await asyncio.gather(*(worker.login(known) for worker in workers))
        again = await asyncio.gather(*(worker.another(known, logins[0]) for worker in workers))
        for worker in workers:
            await worker.close()
            await worker._database.close()
        return {login.secret for login in logins}, {login.secret for login in again}

    first, second = asyncio.run(main())
    assert len(first) == len(second) == 1 and first != second
    assert given_by(tokens) == before + 2
    assert next(iter(second)).encode() not in bytes(SmarthostToken.objects.get().sealed)
