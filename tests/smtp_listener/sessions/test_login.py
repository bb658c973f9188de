"""AUTH over the wire, credentials' networks and limits (hardening A7, B8; finding 6)."""

import base64
import smtplib
import time

import pytest
from django.utils import timezone

from deliveries.backends.database import DatabaseUnavailable
from deliveries.models import Message
from domains.models import Credential, Domain
from domains.senders.credentials import issue
from smtp_listener.admission.accounts import KEEP, Accounts
from smtp_listener.admission.authentication import Authentication
from smtp_listener.admission.limits import PER_PAIR, LoginThrottle
from tests.smtp_listener.conftest import plain
from tests.smtp_listener.sessions.test_faults import hand_in
from tests.smtp_listener.sessions.test_session import MAIL

b64 = base64.b64encode


@pytest.fixture
def guest(listener):
    """Return a client under TLS that is not logged in."""
    with listener.raw() as client:
        client.say(b"EHLO app.test")
        client.start_tls()
        client.say(b"EHLO app.test")
        yield client


def limited(domain, name="limited", **given):
    credential, secret = issue(domain.project, name, **given)
    return credential.username, secret


def test_plain_works_with_and_without_an_initial_response(guest, login):
    assert guest.say(b"AUTH PLAIN") == "334 \r\n"
    assert guest.say(plain(*login)).startswith("235")
    assert guest.say(b"AUTH PLAIN " + plain(*login)).startswith("503")


@pytest.mark.parametrize("has_initial", [True, False])
def test_login_works_with_and_without_an_initial_response(guest, login, has_initial):
    username, secret = (b64(part.encode()) for part in login)
    if has_initial:
        assert guest.say(b"AUTH login " + username) == "334 UGFzc3dvcmQ6\r\n"
    else:
        assert guest.say(b"AUTH LOGIN") == "334 VXNlcm5hbWU6\r\n"
        assert guest.say(username) == "334 UGFzc3dvcmQ6\r\n"
    assert guest.say(secret).startswith("235")


@pytest.mark.parametrize(
    "said", [[b"AUTH PLAIN", b"*"], [b"AUTH LOGIN", b"*"], [b"AUTH LOGIN", b64(b"app"), b"*"]]
)
def test_a_cancelled_exchange_is_501_and_the_session_goes_on(guest, said):
    *_, last = [guest.say(line) for line in said]
    assert last.startswith("501")
    assert guest.say(b"NOOP").startswith("250")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ([b"AUTH PLAIN !!!"], "501"),
        ([b"AUTH PLAIN " + b64(b"app\0secret")], "501"),
        ([b"AUTH PLAIN ="], "501"),
        ([b"AUTH PLAIN", b"\xff\xfe"], "501"),
        ([b"AUTH LOGIN", b"!!!", b"!!!"], "501"),
        ([b"AUTH LOGIN", b64(b"x" * 3000), b64(b"y" * 3000)], "501"),
        ([b"AUTH PLAIN " + b64(b"x" * 3000)], "500"),
        ([b"AUTH PLAIN", b"x" * 13_000], "500"),
        ([b"AUTH CRAM-MD5"], "504"),
        ([b"AUTH"], "504"),
    ],
)
def test_a7_bad_exchanges_get_a_neutral_5xx_and_the_session_goes_on(guest, said, code):
    *_, last = [guest.say(line) for line in said]
    assert last.startswith(code)
    assert not any(word in last for word in ("Error", "Separator", "Exception"))
    assert guest.say(b"NOOP").startswith("250")


def test_a7_auth_is_refused_before_tls_before_ehlo_and_on_the_mx_port(listener, login):
    with listener.raw() as client:
        assert client.say(b"AUTH PLAIN " + plain(*login)).startswith("503")
        assert "AUTH" not in client.say(b"EHLO app.test")
        assert client.say(b"AUTH PLAIN " + plain(*login)).startswith("538")
    with listener.raw("mx") as client:
        client.say(b"EHLO app.test")
        client.start_tls()
        assert "AUTH" not in client.say(b"EHLO app.test")
        assert client.say(b"AUTH PLAIN " + plain(*login)).startswith("503")


def test_finding_6_a_failed_auth_gets_its_reply_and_another_try(guest, login):
    assert guest.say(b"AUTH PLAIN " + plain(login[0], "wrong")).startswith("535 5.7.8")
    assert guest.say(b"AUTH PLAIN " + plain(*login)).startswith("235")


def test_b8_who_guesses_on_is_told_so_and_hung_up_on(guest, listener, login):
    listener.listener.authentication = Authentication(
        listener.listener.accounts, LoginThrottle(first_delay=0)
    )
    guesses = [guest.say(b"AUTH PLAIN " + plain(login[0], "wrong")) for _ in range(PER_PAIR + 1)]
    assert [guess[:9] for guess in guesses] == ["535 5.7.8"] * PER_PAIR + ["421 4.7.0"]
    assert guest.is_closed()
    with listener.raw_app(login) as app:
        app.begin()


def test_a_guest_that_is_sent_away_waits_no_longer(guest, listener, login):
    guest.send(b"AUTH PLAIN " + plain(login[0], "wrong") + b"\r\n")
    [session] = listener.listener.sessions
    while session.channel._resting is None:
        time.sleep(0.01)
    listener.loop.call_soon_threadsafe(session.give_way)
    assert guest.reply().startswith("421 4.7.0 You were idle")
    listener.wait_until_empty()


def test_a_revoked_credential_ends_its_open_session(listener, login):
    with listener.raw_app(login) as app:
        app.begin()
        app.say(b"RSET")
        Credential.objects.update(revoked_at=timezone.now())
        time.sleep(KEEP + 0.1)
        assert app.say(b"MAIL FROM:<shop@shop.test>").startswith("421 4.7.0")
        assert app.is_closed()


def test_a_domain_that_lost_its_verification_cannot_be_used_in_an_open_session(listener, login):
    with listener.raw_app(login) as app:
        Domain.objects.update(verified_at=None)
        time.sleep(KEEP + 0.1)
        assert app.say(b"MAIL FROM:<shop@shop.test>").startswith("550 5.7.1")


def test_a_credential_is_used_from_its_own_networks_only(listener, domain):
    with pytest.raises(smtplib.SMTPAuthenticationError), listener.connect() as client:
        client.login(*limited(domain, networks=["192.0.2.0/24"]))
    with listener.connect(login=limited(domain, "local", networks=["127.0.0.0/8"])) as client:
        assert client.mail("shop@shop.test")[0] == 250


def test_a_trusted_network_sends_without_auth_or_tls_and_is_recorded(listener, domain):
    credential, _ = issue(domain.project, "lan", kind="network", networks=["127.0.0.1/32"])
    with listener.connect(tls=False) as client:
        client.sendmail("shop@shop.test", ["you@mx.test"], MAIL)
        assert client.mail("boss@other.test")[0] == 550
    assert Message.objects.get().credential_id == credential.pk
    listener.run(listener.listener.accounts.write_uses())
    credential.refresh_from_db()
    assert credential.last_used_from == "127.0.0.1"


def test_a_client_at_a_trusted_network_may_log_in_all_the_same(listener, domain, login):
    issue(domain.project, "lan", kind="network", networks=["127.0.0.1/32"])
    with listener.connect(login=login) as client:
        client.sendmail("shop@shop.test", ["you@mx.test"], MAIL)
    assert Message.objects.get().credential_id == Credential.objects.get(username=login[0]).pk


def test_a_client_that_logs_in_no_longer_counts_for_its_network(listener, domain, login):
    issue(domain.project, "lan", kind="network", networks=["127.0.0.1/32"], max_sessions=1)
    with listener.raw() as first, listener.raw() as second:
        first.say(b"EHLO app.test")
        first.begin()
        first.start_tls()
        first.say(b"EHLO app.test")
        assert first.say(b"AUTH PLAIN " + plain(*login)).startswith("235")
        second.say(b"EHLO app.test")
        second.begin()


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ("per_minute", b"limit of 2 messages per minute"),
        ("per_day", b"limit of 2 messages per day"),
    ],
)
def test_over_a_rate_limit_the_answer_is_a_4xx_that_names_it(listener, domain, limit, says):
    with listener.connect(login=limited(domain, **{limit: 2})) as client:
        for number in range(2):
            client.sendmail(
                "shop@shop.test", ["you@mx.test"], MAIL.replace(b"<1@", b"<%d@" % number)
            )
        code, text = client.mail("shop@shop.test")
    assert (code, says in text) == (450, True)


@pytest.mark.parametrize("limit", ["per_minute", "per_day"])
def test_only_a_message_that_is_taken_counts(listener, domain, limit):
    with listener.raw_app(limited(domain, **{limit: 2})) as app:
        for _ in range(4):
            app.begin()
            app.say(b"RSET")
        hand_in_refused(app)
        replies = [hand_in(app), hand_in(app)]  # a repeat is no second message
        assert replies[0] == replies[1] and replies[0].startswith("250")
        assert hand_in(app, MAIL.replace(b"<1@", b"<2@")).startswith("250")
        assert app.say(b"MAIL FROM:<shop@shop.test>").startswith("450")


def test_a_message_whose_day_cannot_be_counted_uses_up_no_minute(listener, domain, monkeypatch):
    counted = Accounts.messages_since

    async def out_of_reach(*_):
        raise DatabaseUnavailable("away")

    with listener.raw_app(limited(domain, per_minute=1, per_day=5)) as app:
        monkeypatch.setattr(Accounts, "messages_since", out_of_reach)
        assert hand_in(app).startswith("451")
        monkeypatch.setattr(Accounts, "messages_since", counted)
        assert hand_in(app).startswith("250")


def hand_in_refused(app):
    assert hand_in(app, MAIL.replace(b"From: Shop <shop@", b"From: Shop <shop@other.")).startswith(
        "550"
    )


@pytest.mark.parametrize("limit", ["per_minute", "per_day"])
def test_two_sessions_that_found_room_for_one_message_have_one_taken(listener, domain, limit):
    given = limited(domain, **{limit: 1})
    with listener.raw_app(given) as first, listener.raw_app(given) as second:
        for app in (first, second):
            app.begin()
            assert app.say(b"DATA").startswith("354")
        assert first.say(MAIL + b".").startswith("250")
        assert second.say(MAIL.replace(b"<1@", b"<2@") + b".").startswith(
            "450 4.7.1 Over the limit of 1 messages"
        )
    assert Message.objects.count() == 1


def test_over_the_recipients_of_a_message_the_rest_is_452_and_the_message_goes(listener, domain):
    with listener.raw_app(limited(domain, max_recipients=2)) as app:
        app.begin("a@mx.test", "b@mx.test")
        replies = [app.say(b"RCPT TO:<c%d@mx.test>" % number) for number in range(50)]
        assert all(reply.startswith("452 4.5.3") and "at most 2" in reply for reply in replies)
        app.say(b"DATA")
        assert app.say(MAIL + b".").startswith("250")
    assert Message.objects.get().recipient_count == 2


def test_over_the_sessions_of_a_credential_the_answer_names_the_limit(listener, domain, guest):
    given = limited(domain, max_sessions=1)
    with listener.raw_app(given):
        reply = guest.say(b"AUTH PLAIN " + plain(*given))
        assert (reply[:3], "limit of 1 sessions" in reply) == ("421", True)
    listener.wait_until_empty()
    with listener.raw_app(given) as app:
        app.begin()


def test_the_size_of_a_credential_is_offered_and_held(listener, domain):
    with listener.connect(login=limited(domain, max_size=2000)) as client:
        client.ehlo("app.test")
        assert client.esmtp_features["size"] == "2000"
        assert client.mail("shop@shop.test", ["SIZE=2001"])[0] == 552
