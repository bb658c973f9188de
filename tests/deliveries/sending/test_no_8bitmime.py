"""8-bit mail to hosts without 8BITMIME: another host first, then in ASCII and signed anew, then as
it is.
"""

import dkim as oracle
import pytest
from django.utils import timezone

from deliveries.models import Attempt, Delivery
from domains.models import Domain
from tests.deliveries import make
from tests.deliveries.intake.test_committer import accept, sign_with, stored, submission
from tests.deliveries.sending.test_next_host import deliver, outcomes
from tests.deliveries.stage import play

pytestmark = pytest.mark.usefixtures("mail_db")

PLAIN = ("PIPELINING", "SIZE 1000000")
TEXT = "ご注文ありがとうございます\r\n"
CONTENT = (
    "From: shop@shop.test\r\nSubject: ご注文\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    f"{TEXT}"
).encode()
SIGNED = CONTENT.replace(b"text/plain", b'multipart/signed; boundary="x"')


@pytest.fixture
def credential():
    return make.credential()


@pytest.fixture
def key(credential):
    """Make an active RSA key of shop.test; return its TXT value."""
    domain = Domain.objects.create(
        project=credential.project, name="shop.test", token="x", verified_at=timezone.now()
    )
    return sign_with(domain, "rsa")


OLD_HOSTS = {
    "no 8BITMIME": lambda mx: setattr(mx, "extensions", PLAIN),
    "only HELO": lambda mx: mx.on("EHLO", "502 5.5.2 Error: command not recognized"),
    "greets with HELO only, for now": lambda mx: mx.on("EHLO", "451 4.3.0 Not now"),
    "masked by a filter": lambda mx: mx.on("EHLO", "250 mx.test\nXXXXXXXA\nXXXXXXXB"),
}


def eight_bit(content=CONTENT):
    make.delivery(of=make.message(content=content, eight_bit=True))


@pytest.mark.parametrize("kind", OLD_HOSTS)
def test_8_bit_mail_arrives_at_an_old_host_in_ascii(settings, kind):
    eight_bit()
    mx = play(settings, OLD_HOSTS[kind])
    (message,) = mx.messages
    assert message.content.isascii() and b"=?utf-8?B?" in message.content and mx.violations == []
    assert [attempt.outcome for attempt in Attempt.objects.all()] == ["delivered"]


@pytest.mark.parametrize("code", ["5.6.1", "5.6.3"])
def test_a_host_that_cannot_pass_8_bit_data_on_gets_it_in_ascii(settings, code):
    eight_bit()
    mx = play(settings, lambda mx: mx.on("BODY", f"554 {code} Body type not supported", "250 ok"))
    assert [each.content.isascii() for each in mx.messages] == [True]


def test_a_host_that_refuses_either_form_is_asked_twice_and_no_more(settings):
    eight_bit()
    mx = play(settings, lambda mx: mx.on("BODY", "554 5.6.1 Attachment type not supported"))
    assert mx.commands.count("DATA") == 2 and Delivery.objects.get().state == "bounced"


def test_another_host_takes_it_as_it_is(settings):
    eight_bit()
    _, second = deliver(settings, lambda first, _: OLD_HOSTS["no 8BITMIME"](first))
    assert second.messages[0].content.endswith(CONTENT)
    assert outcomes() == [("passed", "a.mx.test"), ("delivered", "b.mx.test")]


def test_where_no_host_takes_it_the_best_one_gets_it_in_ascii(settings):
    eight_bit()

    def script(first, second):
        first.extensions = PLAIN
        second.on("MAIL", "451 4.3.0 later")

    first, _ = deliver(settings, script)
    assert first.messages[0].content.isascii()
    assert Delivery.objects.get().attempt_count == 1


def test_what_is_signed_goes_as_it_is(settings):
    eight_bit(SIGNED)
    mx = play(settings, OLD_HOSTS["no 8BITMIME"])
    assert mx.messages[0].content.endswith(SIGNED.partition(b"\r\n\r\n")[2])
    assert mx.violations == []  # nothing was said that the host does not offer


def test_what_was_re_encoded_is_signed_anew(settings, credential, key):
    header, _, body = CONTENT.partition(b"\r\n\r\n")
    accept(submission(credential, headers=header + b"\r\n", body=body, eight_bit=True))
    before = stored()
    (message,) = play(settings, OLD_HOSTS["no 8BITMIME"]).messages
    arrived = message.content.partition(b"\r\n")[2]  # below this delivery's own field
    assert arrived.isascii() and arrived != before
    assert arrived.count(b"DKIM-Signature:") == 1 and oracle.verify(
        arrived, dnsfunc=lambda *_, **__: key.encode()
    )
