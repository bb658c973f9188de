"""How we log in, and what a host's answers to that mean."""

from base64 import b64decode, b64encode

import pytest

from deliveries.smtp.authentication import Login, as_refused_login, authenticate, is_about_login
from deliveries.smtp.dialogue import Capabilities, ClientSession, TlsLevel
from deliveries.smtp.outcomes import Bounced, Deferred, FailureScope, Stage
from tests.deliveries.smtp.play import play, reply
from tests.fakes.mx import EXTENSIONS, FakeMx

ALL = frozenset({"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"})
OK, MORE = "235 2.7.0 welcome", "334 "


def log_in(login, *answers, auth=ALL, name="smart.test"):
    session = ClientSession(Capabilities(auth=auth), name=name)
    return play(
        authenticate(session, login, host="smart.test", port=587, our_name="relay.test"), *answers
    )


def decoded(line):
    return b64decode(line.split()[-1])


def test_plain_says_all_at_once():
    outcome, [said] = log_in(Login("PLAIN", "me", "s\u00e4cret"), OK)
    assert outcome is None and said.startswith(b"AUTH PLAIN ")
    assert decoded(said) == "\0me\0s\u00e4cret".encode()


def test_login_says_name_and_password_when_it_is_asked():
    outcome, said = log_in(Login("LOGIN", "me", "secret"), MORE, MORE, OK)
    assert outcome is None
    assert said == [b"AUTH LOGIN\r\n", b"bWU=\r\n", b"c2VjcmV0\r\n"]


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [
        ("XOAUTH2", b"user=a=b,c\1auth=Bearer token\1\1"),
        ("OAUTHBEARER", b"n,a=a=3Db=2Cc,\1host=smart.test\1port=587\1auth=Bearer token\1\1"),
    ],
)
def test_a_token_is_said_as_its_mechanism_wants_it(mechanism, response):
    outcome, [said] = log_in(Login(mechanism, "a=b,c", "token"), OK)
    assert outcome is None and decoded(said) == response


def test_a_long_token_goes_on_a_line_of_its_own():
    outcome, [command, line] = log_in(Login("XOAUTH2", "me", "t" * 2000), MORE, OK)
    assert outcome is None and command == b"AUTH XOAUTH2\r\n" and b"t" * 2000 in decoded(line)


@pytest.mark.parametrize(
    ("mechanism", "said"), [("XOAUTH2", b"\r\n"), ("OAUTHBEARER", b"AQ==\r\n")]
)
def test_a_refused_token_is_answered_and_its_reason_kept(mechanism, said):
    why = b64encode(b'{"status":"invalid_token"}').decode()
    answers = f"334 {why}", "535 5.7.8 not you"
    outcome, lines = log_in(Login(mechanism, "me", "token"), *answers)
    assert lines[1] == said
    assert outcome == Deferred(
        reply("535 5.7.8 not you (status invalid_token)"), Stage.AUTH, FailureScope.SESSION
    )


@pytest.mark.parametrize("answer", ["535 5.7.8 no", "530 5.7.0 no", "534 5.7.9 no", "454 4.7.0 no"])
def test_no_answer_at_the_log_in_is_about_a_message(answer):
    outcome, _ = log_in(Login("PLAIN", "me", "secret"), answer)
    assert outcome == Deferred(reply(answer), Stage.AUTH, FailureScope.SESSION)


def test_a_mechanism_that_is_not_offered_is_not_tried():
    outcome, said = log_in(Login("XOAUTH2", "me", "token"), auth=frozenset({"PLAIN"}))
    assert said == [] and "does not offer AUTH XOAUTH2 (it offers: PLAIN)" in outcome.reply.text


def test_a_host_with_our_own_name_hears_no_secret():
    outcome, said = log_in(Login("PLAIN", "me", "secret"), name="relay.test")
    assert said == [] and "mail would go in circles" in outcome.reply.text


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT])
def test_a_log_in_asked_for_in_the_middle_is_about_us(stage):
    asked = Bounced(reply("530 5.7.0 authenticate first"), stage, FailureScope.MESSAGE)
    assert is_about_login(asked)
    assert as_refused_login(asked) == Deferred(asked.reply, stage, FailureScope.SESSION)
    other = Bounced(reply("550 5.1.1 no such user"), stage, FailureScope.RECIPIENT)
    assert as_refused_login(other) is other


@pytest.mark.parametrize("level", [TlsLevel.NONE, TlsLevel.OPPORTUNISTIC, TlsLevel.REQUIRED])
async def test_no_secret_is_said_without_verified_tls(session_with, level):
    async with FakeMx(extensions=(*EXTENSIONS, "AUTH PLAIN")) as mx:
        with pytest.raises(Exception, match="no log-in without verified TLS"):
            async with session_with(mx, tls=level, login=Login("PLAIN", "me", "secret")):
                pass
    assert mx.commands == []


async def test_a_transcript_shows_the_mechanism_and_no_secret(session_with, tmp_path):
    from tests.fakes.certificates import Authority

    authority = Authority(tmp_path)
    given = {"tls": authority.server("mx.test"), "extensions": (*EXTENSIONS, "AUTH LOGIN")}
    async with FakeMx(**given) as mx:
        mx.on("AUTH", "334 VXNlcm5hbWU6")
        mx.on("BWU=", "334 UGFzc3dvcmQ6")
        mx.on("C2VJCMV0", "235 2.7.0 ok")
        login = Login("LOGIN", "me", "secret")
        how = {"tls": TlsLevel.VERIFIED, "trust": authority.bundle, "login": login}
        async with session_with(mx, **how) as connection:
            said = connection.notes.transcript()
    assert "AUTH LOGIN …" in said and "c2VjcmV0" not in said and "bWU=" not in said
    assert "secret" not in repr(login)
