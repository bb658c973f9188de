"""Which names an account may send as, below its own domains."""

import time

import dkim as oracle
import pytest
from django.utils import timezone

from deliveries.message import compression
from deliveries.models import Content, Message
from domains.models import Domain, Project
from domains.senders.keys import make_key
from smtp_listener.admission import accounts
from smtp_listener.admission.sending_domains import SendingDomains

WIDE = SendingDomains(["shop.test", "own.test"], ["shop.test"], ["theirs.shop.test"])


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("shop.test", True), ("news.shop.test", True), ("a.b.shop.test", True), ("own.test", True),
        ("a.own.test", False), ("eshop.test", False), ("test", False), ("", False),
        ("theirs.shop.test", False), ("a.theirs.shop.test", False),
    ],
)  # fmt: skip
def test_any_name_below_a_wide_domain_and_none_of_anothers(name, may):
    assert (name in WIDE) is may


@pytest.fixture
def signed(domain):
    """Let the domain sign, and let names below it send."""
    key = make_key(domain, "ed25519")
    key.sign(now=timezone.now(), unseen=True)
    Domain.objects.filter(pk=domain.pk).update(covers_subdomains=True)
    return key


def say_from(listener, login, name):
    with listener.raw_app(login) as app:
        reply = app.say(f"MAIL FROM:<a@{name}>".encode())
        if not reply.startswith("250"):
            return reply
        app.say(b"RCPT TO:<you@mx.test>")
        app.say(b"DATA")
        return app.say(f"From: a@{name}\r\nSubject: x\r\n\r\nbody\r\n.".encode())


def test_mail_from_a_name_below_is_signed_by_the_domain(listener, login, signed):
    assert say_from(listener, login, "news.shop.test").startswith("250")
    message = Message.objects.get()
    data = compression.decompress(
        bytes(Content.objects.get(message=message).data), most=message.size
    )
    asked = []

    def record(name, timeout=5):
        asked.append(name.decode())
        return signed.public_record.encode()

    assert oracle.verify(data, dnsfunc=record)
    assert asked == [f"{signed.record_name}."]
    assert message.header_from == "a@news.shop.test"


def test_not_without_a_choice_and_not_where_dmarc_is_strict(listener, login, signed, domain):
    Domain.objects.update(covers_subdomains=False)
    assert "it is no verified domain" in say_from(listener, login, "news.shop.test")
    Domain.objects.update(covers_subdomains=True, is_strict=True)
    time.sleep(accounts.KEEP)
    refusal = say_from(listener, login, "news.shop.test")
    assert "the DMARC policy of shop.test has adkim=s" in refusal
    assert say_from(listener, login, "shop.test").startswith("250")


def test_what_another_project_has_verified_below_is_theirs(listener, login, signed):
    other = Project.objects.create(name="other")
    Domain.objects.create(
        project=other, name="their.shop.test", token="t", verified_at=timezone.now()
    )
    assert "may not send as a.their.shop.test" in say_from(listener, login, "a.their.shop.test")
    assert say_from(listener, login, "a.shop.test").startswith("250")
