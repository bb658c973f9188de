"""What printers, scripts and old libraries write on the wire, and harms nobody."""

import base64

import pytest

from domains.senders.credentials import issue
from tests.smtp_listener.conftest import plain
from tests.smtp_listener.sessions.test_session import MAIL, stored

b64 = base64.b64encode

NAMES = {
    "EHLO MÜLLER-PC".encode(): "M-LLER-PC",
    "EHLO 経理部".encode("cp932"): "o",
    "EHLO K\xf6ln".encode("cp1252"): "K-ln",
    b"HELO Anna's-PC": "Anna-s-PC",
    b"EHLO host/10.0.0.1": "host-10.0.0.1",
    b"EHLO MY-PC$": "MY-PC",
    b"EHLO office (2nd floor)": "office-2nd-floor",
    b"EHLO  printer\t": "printer",
    b"HELO": "unknown",
    b"EHLO": "unknown",
}
PATHS = [
    ("MAIL FROM:shop@shop.test", "RCPT TO:you@mx.test"),
    ("MAIL FROM:\t<shop@shop.test>", "RCPT TO:\t<you@mx.test>"),
    ("MAIL FROM:< shop@shop.test > SIZE=9", "RCPT TO:< you@mx.test\t>\tNOTIFY=NEVER"),
    ("mail from : shop@shop.test size=9", "rcpt  to : you@mx.test"),
]


@pytest.fixture
def guest(listener):
    """Return a client under TLS that is not logged in."""
    with listener.raw() as client:
        client.say(b"EHLO app.test")
        client.start_tls()
        client.say(b"EHLO app.test")
        yield client


@pytest.mark.parametrize("greeting", NAMES)
def test_a_computers_name_is_taken_and_cleaned_for_the_trace_field(listener, domain, greeting):
    issue(domain.project, "printers", kind="network", networks=["127.0.0.1/32"])
    with listener.raw() as printer:
        assert printer.say(greeting).startswith("250")
        printer.begin()
        printer.say(b"DATA")
        assert printer.say(MAIL + b".").startswith("250")
    assert stored().startswith(f"Received: from {NAMES[greeting]} ([127.0.0.1])\r\n".encode())


@pytest.mark.parametrize("greeting", NAMES)
def test_other_mail_hosts_are_asked_for_no_better_name(listener, greeting):
    with listener.raw("mx") as host:
        assert host.say(greeting).startswith("250")


@pytest.mark.parametrize(("sender", "recipient"), PATHS)
def test_an_address_is_taken_without_brackets_and_with_blanks(listener, login, sender, recipient):
    with listener.raw_app(login) as app:
        assert app.say(sender.encode()).startswith("250")
        assert app.say(recipient.encode()).startswith("250")


def test_a_blank_within_an_address_does_not_join_its_parts(listener, login):
    with listener.raw_app(login) as app:
        assert app.say(b"MAIL FROM:shop@ shop.test").startswith("5")
        assert app.say(b"MAIL FROM:<shop @shop.test>").startswith("501 5.1.7")
        assert app.say(b'MAIL FROM:<"a\tb"@shop.test>').startswith("501 5.1.7")


def said(login, form):
    username, secret = login
    name, word, both = b64(username.encode()), b64(secret.encode()), plain(username, secret)
    return {
        "two blanks": [b"AUTH PLAIN  " + both],
        "a tab": [b"AUTH\tPLAIN\t" + both],
        "blanks at the challenge": [b"AUTH PLAIN", b" " + both + b" "],
        "blanks at both": [b"AUTH LOGIN", name + b" ", word + b"\t"],
        "an empty response": [b"AUTH LOGIN =", name, word],
        "its own name": [b"AUTH PLAIN " + b64(f"{username}\0{username}\0{secret}".encode())],
        "its name at a host": [
            b"AUTH PLAIN " + b64(f"{username}@relay.test\0{username}\0{secret}".encode())
        ],
        "its mailbox": [b"AUTH PLAIN " + b64(f"news@SHOP.test\0{username}\0{secret}".encode())],
    }[form]


@pytest.mark.parametrize(
    "form",
    ["two blanks", "a tab", "blanks at the challenge", "blanks at both", "an empty response",
        "its own name", "its name at a host",
     "its mailbox"],
)  # fmt: skip
def test_auth_is_read_as_clients_write_it(guest, login, form):
    *_, last = [guest.say(line) for line in said(login, form)]
    assert last.startswith("235")


@pytest.mark.parametrize("identity", ["boss@other.test", "root", "@shop.test"])
def test_nobody_acts_for_somebody_else(guest, login, identity):
    username, secret = login
    refusal = guest.say(b"AUTH PLAIN " + b64(f"{identity}\0{username}\0{secret}".encode()))
    assert refusal.startswith("535 5.7.8") and identity in refusal
    assert guest.say(b"AUTH PLAIN " + b64(f"{identity}\0{username}\0wrong".encode())).startswith(
        "535 5.7.8 User name or secret"
    )
