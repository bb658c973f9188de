"""What header fields of submitted mail may hold: every charset of Japanese mail, and no control
character.
"""

import time

import pytest
from django.utils import timezone

from deliveries.message import compression
from deliveries.models import Content, Message
from domains.models import Domain, Project
from domains.senders.keys import make_key
from smtp_listener.admission import accounts

SUBJECTS = ["ご注文の確認", "表示ソ能ポ　構十", "ﾂｲ半角ｶﾅ", "①㈱"]


def submit(listener, login, subject):
    with listener.raw_app(login) as app:
        app.begin()
        assert app.say(b"DATA").startswith("354")
        return app.say(b"From: shop@shop.test\r\nSubject: " + subject + b"\r\n\r\nbody\r\n.")


@pytest.mark.parametrize("charset", ["shift_jis", "cp932", "euc_jp", "iso2022_jp", "utf-8"])
@pytest.mark.parametrize("text", SUBJECTS)
def test_a_japanese_subject_is_stored_byte_for_byte(listener, login, charset, text):
    subject = text.encode(charset, "ignore") + b"\r\n\t" + text.encode(charset, "ignore")
    assert submit(listener, login, subject).startswith("250")
    [row] = Content.objects.all()
    assert b"\r\nSubject: " + subject + b"\r\n" in compression.decompress(
        bytes(row.data), most=1_000_000
    )


@pytest.mark.parametrize(
    "control",
    [
        b"\x0b",
        b"\x0c",
        b"\x1b[2J",
        b"\x08",
        b"\x1c",
        b"\x7f",
        b"\xc2\x85",
        b"\xc2\x9b",
        b"\xe2\x80\xa8",
    ],
)
def test_a_control_character_is_refused_and_the_session_goes_on(listener, login, control):
    assert submit(listener, login, b"a" + control + b"From: b@other.test").startswith(
        "550 5.6.0 The Subject field has a control char"
    )
    assert Message.objects.count() == 0
    assert submit(listener, login, b"one").startswith("250")


@pytest.mark.parametrize("takes", [True, False])
def test_the_project_decides_on_names_that_show_other_addresses(listener, login, takes):
    Project.objects.update(takes_foreign_names=takes)
    with listener.raw_app(login) as app:
        app.begin()
        assert app.say(b"DATA").startswith("354")
        reply = app.say(b'From: "boss@bank.test" <shop@shop.test>\r\n\r\nbody\r\n.')
    assert reply.startswith(
        "250" if takes else "550 5.7.1 The name in the From field shows boss@bank.test"
    )
    assert Message.objects.count() == takes


def test_an_unverified_domain_is_told_from_an_unknown_one(listener, login, domain):
    Domain.objects.create(project=domain.project, name="new.test", token="y")
    with listener.raw_app(login) as app:
        assert "may not send as new.test yet" in app.say(b"MAIL FROM:<a@new.test>")
        assert "it is no verified domain" in app.say(b"MAIL FROM:<a@other.test>")
        app.begin()
        assert app.say(b"DATA").startswith("354")
        assert "may not send as new.test yet" in app.say(b"From: a@new.test\r\n\r\nbody\r\n.")


def test_a_new_domain_sends_once_its_key_was_seen(listener, login, domain):
    new = Domain.objects.create(
        project=domain.project, name="new.test", token="y", verified_at=timezone.now()
    )
    make_key(new, "ed25519")
    with listener.raw_app(login) as app:
        assert "its DKIM key has to be seen in DNS" in app.say(b"MAIL FROM:<a@new.test>")
    new.keys.update(state="signing", is_active=True, signs_unseen=True)
    make_key(new, "ed25519")
    time.sleep(accounts.KEEP)
    with listener.raw_app(login) as app:
        assert app.say(b"MAIL FROM:<a@new.test>").startswith("250")


def test_what_a_pipelining_client_sends_after_a_refused_mail_is_one_line_in_the_log(
    listener, login, caplog
):
    caplog.set_level("INFO")
    with listener.raw_app(login) as app:
        for _ in range(2):
            app.send(
                b"MAIL FROM:<a@other.test>\r\nRCPT TO:<you@mx.test>\r\nRCPT TO:<me@mx.test>\r\n"
                b"DATA\r\n"
            )
            assert [app.reply()[:3] for _ in range(4)] == ["550", "503", "503", "503"]
        assert caplog.text.count("event=refused") == 2
        assert app.say(b"NOOP").startswith("250")
        assert app.say(b"RCPT TO:<you@mx.test>").startswith("503")
    assert caplog.text.count("event=refused") == 3
