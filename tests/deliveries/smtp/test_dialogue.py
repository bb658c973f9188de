import pytest

from deliveries.smtp.dialogue import Capabilities, ClientSession, TlsLevel, capabilities_of, greet
from deliveries.smtp.outcomes import Deferred, FailureScope, Stage
from tests.deliveries.smtp.play import LOST, play, reply

EHLO, STARTTLS, HELO = b"EHLO me.test\r\n", b"STARTTLS\r\n", b"HELO me.test\r\n"
OFFERS_TLS = "250 mx.test\nSTARTTLS\nPIPELINING"
PLAIN = "250 mx.test\nPIPELINING"


def open_session(*answers, tls=TlsLevel.OPPORTUNISTIC):
    return play(greet("me.test", tls), *answers)


def test_capabilities_are_read_whatever_their_case_and_order():
    offers = capabilities_of(
        reply("250 mx.test\nsize 1000\nPipelining\n8bitmime\nCHUNKING\nDSN\nSMTPUTF8\nAUTH PLAIN")
    )
    assert offers == Capabilities(
        pipelining=True, chunking=True, smtputf8=True, eightbitmime=True, dsn=True, size=1000,
        auth=frozenset({"PLAIN"}),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "size"),
    [("SIZE", 0), ("SIZE 0", 0), ("SIZE x", 0), ("SIZE " + "9" * 5000, 0), ("DSN", None)],
)
def test_a_size_that_is_no_limit_limits_nothing(line, size):
    assert capabilities_of(reply(f"250 mx.test\n{line}")).size == size


def test_the_name_in_the_first_line_offers_nothing():
    assert capabilities_of(reply("250 CHUNKING\nDSN")) == Capabilities(dsn=True)


def test_starttls_is_followed_by_a_fresh_ehlo_whose_word_alone_counts():
    session, said = open_session("220 hi", OFFERS_TLS, "220 go", "250 mx.test\nCHUNKING")
    assert said == [EHLO, STARTTLS, b"(TLS)" + EHLO]
    assert session == ClientSession(Capabilities(chunking=True))


@pytest.mark.parametrize("refusal", ["502 what?", "451 not now", "354 what?"])
def test_a_server_that_does_not_know_ehlo_is_greeted_with_helo(refusal):
    session, said = open_session("220 hi", refusal, "250 mx.test")
    assert said == [EHLO, HELO] and session == ClientSession(Capabilities())


@pytest.mark.parametrize(
    "answers",
    [
        ["554 go away"],
        ["450 busy"],
        [LOST],
        ["220 hi", "421 no"],
        ["220 hi", "450 no", "450 no"],
        ["220 hi", "550 no", "550 no"],
        ["220 hi", LOST],
    ],
)
def test_trouble_before_mail_defers_and_says_no_more(answers):
    outcome, _ = open_session(*answers)
    assert isinstance(outcome, Deferred) and outcome.scope is FailureScope.SESSION


@pytest.mark.parametrize("refusal", ["454 not now", "501 no"])
def test_refused_starttls_goes_on_in_plain_text_where_tls_is_no_demand(refusal):
    session, said = open_session("220 hi", OFFERS_TLS, refusal)
    assert session.capabilities.pipelining and said == [EHLO, STARTTLS]


@pytest.mark.parametrize("level", [TlsLevel.REQUIRED, TlsLevel.VERIFIED])
@pytest.mark.parametrize(
    "answers",
    [["220 hi", PLAIN], ["220 hi", OFFERS_TLS, "454 not now"], ["220 hi", "502 no", "250 mx.test"]],
)
def test_demanded_tls_never_goes_on_in_plain_text(level, answers):
    outcome, _ = open_session(*answers, tls=level)
    assert isinstance(outcome, Deferred) and outcome.stage is Stage.STARTTLS


def test_without_tls_starttls_is_never_said():
    session, said = open_session("220 hi", OFFERS_TLS, tls=TlsLevel.NONE)
    assert said == [EHLO] and isinstance(session, ClientSession)


def test_a_421_to_starttls_ends_the_session():
    outcome, _ = open_session("220 hi", OFFERS_TLS, "421 closing")
    assert outcome == Deferred(reply("421 closing"), Stage.STARTTLS, FailureScope.SESSION)
