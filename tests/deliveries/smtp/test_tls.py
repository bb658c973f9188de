import asyncio
import ssl
import warnings

import pytest

from deliveries.smtp.connection import ConnectionFailed, Mail, TlsLevel
from deliveries.smtp.outcomes import Delivered, FailureScope, Stage
from deliveries.smtp.tls import server_name
from tests.fakes.certificates import Authority, self_signed
from tests.fakes.mx import FakeMx
from tests.fakes.mx_actions import Drop, Freeze

MAIL = Mail("a@a.test", "b@b.test", b"Subject: x\r\n\r\n.body\r\n")
LARGE = Mail("a@a.test", "b@b.test", b"x" * 998 + b"\r\n" + (b"." + b"y" * 90 + b"\r\n") * 50_000)
DEMANDS = [TlsLevel.REQUIRED, TlsLevel.VERIFIED]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def poor_certificates(authority, tmp_path_factory):
    return {
        "expired": authority.server("mx.test", is_expired=True),
        "wrong name": authority.server("other.test"),
        "self-signed": self_signed(tmp_path_factory.mktemp("self-signed"), "mx.test"),
    }


async def failure(session_with, mx, **how):
    with pytest.raises(ConnectionFailed) as raised:
        async with session_with(mx, **how):
            pass
    return raised.value


# --- certificates ---
@pytest.mark.parametrize("level", [TlsLevel.OPPORTUNISTIC, *DEMANDS])
async def test_a_good_certificate_is_noted_as_verified(session_with, authority, level):
    async with FakeMx(tls=authority.server("mx.test")) as mx:
        async with session_with(mx, tls=level, trust=authority.bundle) as connection:
            assert isinstance(await connection.send(MAIL), Delivered)
    assert connection.tls == "TLSv1.3 TLS_AES_256_GCM_SHA384 verified"
    assert mx.messages[0].is_tls and mx.violations == [] and mx.sessions[0].server_name == "mx.test"


@pytest.mark.parametrize("fault", ["expired", "wrong name", "self-signed"])
@pytest.mark.parametrize("level", [TlsLevel.OPPORTUNISTIC, TlsLevel.REQUIRED])
async def test_a_poor_certificate_does_not_stop_mail_but_is_noted(
    session_with, authority, poor_certificates, fault, level
):
    async with FakeMx(tls=poor_certificates[fault]) as mx:
        async with session_with(mx, tls=level, trust=authority.bundle) as connection:
            assert isinstance(await connection.send(MAIL), Delivered)
    assert connection.tls == "TLSv1.3 TLS_AES_256_GCM_SHA384 unverified"
    assert mx.messages[0].is_tls and len(mx.sessions) == 1


@pytest.mark.parametrize("fault", ["expired", "wrong name", "self-signed"])
async def test_a_poor_certificate_stops_mail_where_verification_is_demanded(
    session_with, authority, poor_certificates, fault
):
    async with FakeMx(tls=poor_certificates[fault]) as mx:
        error = await failure(session_with, mx, tls=TlsLevel.VERIFIED, trust=authority.bundle)
    assert (
        error.stage is Stage.STARTTLS
        and error.reply.enhanced == "4.7.5"
        and error.outcome.scope is FailureScope.SESSION
    )
    assert (
        error.reply.text.startswith("the host's certificate is not trusted: ") and mx.messages == []
    )


async def test_tls_from_the_first_byte_is_verified(session_with, authority):
    async with FakeMx(tls=authority.server("mx.test"), implicit_tls=True) as mx:
        async with session_with(mx, tls=TlsLevel.IMPLICIT, trust=authority.bundle) as connection:
            assert isinstance(await connection.send(MAIL), Delivered)
            await connection.close()
        error = await failure(
            session_with, mx, tls=TlsLevel.IMPLICIT, trust=authority.bundle, host="other.test"
        )
    assert connection.tls.endswith(" verified") and mx.sessions[0].ended_by == "quit"
    assert error.stage is Stage.STARTTLS


# --- downgrades ---
async def test_stripped_starttls_leaves_opportunistic_mail_in_plain_text(session_with):
    async with FakeMx() as mx, session_with(mx) as connection:
        assert isinstance(await connection.send(MAIL), Delivered)
    assert connection.tls == "" and not mx.messages[0].is_tls


@pytest.mark.parametrize("level", DEMANDS)
async def test_stripped_starttls_stops_mail_that_demands_tls(session_with, level):
    async with FakeMx() as mx:
        error = await failure(session_with, mx, tls=level)
    assert (
        str(error.reply) == "451 4.7.4 TLS is required, but the host does not offer it"
        and mx.messages == []
    )


BROKEN = {"garbage": b"this is no TLS\r\n" * 10, "hang-up": Drop(), "silence": Freeze()}


@pytest.mark.parametrize("handshake", BROKEN.values(), ids=BROKEN)
async def test_a_broken_handshake_is_tried_again_in_plain_text(session_with, authority, handshake):
    async with FakeMx(tls=authority.server("mx.test")) as mx:
        mx.on("HANDSHAKE", handshake)
        async with session_with(mx) as connection:
            assert isinstance(await connection.send(MAIL), Delivered)
    assert (
        connection.tls == ""
        and [session.tls for session in mx.sessions] == ["", ""]
        and len(mx.messages) == 1
    )


@pytest.mark.parametrize("level", DEMANDS)
@pytest.mark.parametrize("handshake", BROKEN.values(), ids=BROKEN)
async def test_a_broken_handshake_never_loosens_a_demand(session_with, authority, level, handshake):
    async with FakeMx(tls=authority.server("mx.test")) as mx:
        mx.on("HANDSHAKE", handshake)
        error = await failure(session_with, mx, tls=level)
    assert error.stage is Stage.STARTTLS and error.reply.text.startswith(
        "the TLS handshake failed: "
    )
    assert len(mx.sessions) == 1 and mx.messages == []


@pytest.mark.parametrize(
    "error", [ssl.SSLError(1, "made by Python, which gives no reason"), TimeoutError(), OSError()]
)
async def test_an_error_without_openssls_words_has_some(
    session_with, authority, error, monkeypatch
):
    async def fails(*_, **__):
        raise error

    async with FakeMx(tls=authority.server("mx.test")) as mx:
        monkeypatch.setattr(asyncio.get_running_loop(), "start_tls", fails, raising=False)
        failed = await failure(session_with, mx, tls=TlsLevel.REQUIRED)
    assert failed.reply.text in {
        "the TLS handshake failed: timed out",
        "the TLS handshake failed: connection lost",
    }


async def test_a_host_that_hangs_up_right_after_the_handshake_is_tried_again_in_plain_text(
    session_with, authority
):
    async with FakeMx(tls=authority.server("mx.test")) as mx:
        mx.on("EHLO", None, Drop(), None)
        async with session_with(mx) as connection:
            assert isinstance(await connection.send(MAIL), Delivered)
    assert connection.tls == "" and [bool(session.tls) for session in mx.sessions] == [True, False]


async def test_refused_starttls_goes_on_in_plain_text_on_the_same_connection(
    session_with, authority
):
    async with FakeMx(tls=authority.server("mx.test")) as mx:
        mx.on("STARTTLS", "454 4.7.0 not now")
        async with session_with(mx) as connection:
            assert isinstance(await connection.send(MAIL), Delivered)
    assert len(mx.sessions) == 1


async def test_an_old_tls_is_better_than_none_but_no_tls_to_demand(session_with, authority):
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        old = authority.server("mx.test")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
    async with FakeMx(tls=old) as mx:
        async with session_with(mx) as connection:
            assert isinstance(await connection.send(MAIL), Delivered)
        error = await failure(session_with, mx, tls=TlsLevel.REQUIRED)
    assert connection.tls.startswith("TLSv1 ") and error.stage is Stage.STARTTLS


# --- what an attacker on the line could say ---
@pytest.mark.parametrize(
    "injected",
    [b"220 go\r\n250-mx.test\r\n250 CHUNKING\r\n", b"220 go\r\n25", b"220 go\r\n250 x\r\n"],
)
async def test_what_is_said_before_tls_is_never_believed_under_it(
    session_with, authority, injected
):
    async with FakeMx(tls=authority.server("mx.test")) as mx:
        mx.on("STARTTLS", injected)
        error = await failure(session_with, mx, tls=TlsLevel.REQUIRED)
    assert (
        error.stage is Stage.STARTTLS
        and "before TLS began" in error.reply.text
        and error.is_tls_broken
    )


async def test_offers_made_in_plain_text_are_forgotten(session_with, authority):
    async with FakeMx(tls=authority.server("mx.test"), extensions=("PIPELINING", "CHUNKING")) as mx:
        mx.on("EHLO", None, "250 mx.test")
        async with session_with(mx) as connection:
            assert isinstance(await connection.send(MAIL), Delivered)
    assert "DATA" in mx.commands and not mx.messages[0].is_chunked


# --- content under TLS ---
@pytest.mark.parametrize("extensions", [("PIPELINING",), ("PIPELINING", "CHUNKING")])
async def test_large_content_arrives_under_tls(session_with, authority, extensions):
    async with FakeMx(tls=authority.server("mx.test"), extensions=extensions) as mx:
        async with session_with(mx) as connection:
            assert isinstance(await connection.send(LARGE), Delivered)
            assert isinstance(await connection.send(MAIL), Delivered)
    assert [message.content for message in mx.messages] == [
        LARGE.content,
        MAIL.content,
    ] and mx.violations == []


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("mx.test", "mx.test"),
        ("mx.test.", "mx.test"),
        (".mx.test", None),
        ("", None),
        ("a" * 64 + ".test", None),
    ],
)
def test_a_host_that_cannot_be_a_server_name_is_not_sent_as_one(host, name):
    assert server_name(host) == name


@pytest.mark.parametrize("host", ["", ".odd.test", "a" * 70 + ".test"])
async def test_a_host_of_an_odd_name_is_still_spoken_to_under_tls(session_with, authority, host):
    async with FakeMx(tls=authority.server("mx.test")) as mx:
        async with session_with(mx, host=host) as connection:
            assert connection.tls.endswith(" unverified")
        assert (
            await failure(session_with, mx, host=host, tls=TlsLevel.VERIFIED)
        ).stage is Stage.STARTTLS
