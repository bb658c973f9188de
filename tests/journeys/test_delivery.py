"""A message's whole way: from the clients that apps use, through the service's own processes, to
Postfix and Exim as MX hosts.
"""

import email
import email.policy
import hashlib
import uuid

import dkim
import pytest

from tests.journeys import compiled, peers
from tests.journeys.clients import CLIENTS, run
from tests.journeys.rig import SENDER

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

ODD_BYTES = bytes(set(range(256)) - {0, 10, 13})  # NUL, LF and CR are no part of a line
BODY = (
    b"\r\n".join(
        (
            b"plain",
            b".",
            b"..",
            b".dot first",
            b"dot at the end.",
            b"",
            "日本語 Grüße".encode(),
            "駅伝".encode("iso2022_jp"),
            ODD_BYTES,
            b"trailing blanks \t ",
            b"long " * 199,
            b"x" * 998,  # what is longer is encoded
            b"From here on",
            b"",
            b".",
            b"",
            b"",
            b"",
        )
    )
    + b"\r\n"
)
HEADER = """\
From: Shop <shop@{sender}>
To: box-to@postfix.test,
\tbox-to@exim.test
Bcc: box-hidden@postfix.test
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=  with   odd
  folding
X-Odd:no space and a trailing blank
Message-ID: <{token}@shop.test>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

"""
RECIPIENTS = {  # in the envelope; `silent` stands in no header field
    "postfix.test": ["box-to@postfix.test", "box-hidden@postfix.test", "box-silent@postfix.test"],
    "exim.test": ["box-to@exim.test", "box-silent@exim.test"],
}


def mail(token):
    return HEADER.format(sender=SENDER, token=token).replace("\n", "\r\n").encode() + BODY


@pytest.fixture
def token():
    return uuid.uuid4().hex


@pytest.mark.parametrize("implicit_tls", [False, True], ids=["starttls", "implicit-tls"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_mail_arrives_at_postfix_and_exim_as_it_was_handed_in(
    client, implicit_tls, rig, postfix, exim, token, tmp_path
):
    file = tmp_path / "mail"
    file.write_bytes(mail(token))
    everybody = [recipient for recipients in RECIPIENTS.values() for recipient in recipients]
    CLIENTS[client](rig, file, f"shop@{SENDER}", everybody, implicit_tls)
    for server in (postfix, exim):
        arrived = server.wait_for(token.encode(), len(RECIPIENTS[server.domain]))
        assert sorted(map(delivered_to, arrived)) == sorted(RECIPIENTS[server.domain])
        for each in arrived:
            assert_faithful(each)
            assert_signed(each, rig.dkim_record, tmp_path)
    assert_told_truly(rig, f"<{token}@shop.test>", everybody)


def test_a_mail_in_japanese_by_system_net_mail_arrives_as_it_was_written(rig, postfix, token):
    to = f"box-{token}@postfix.test"
    command = compiled.dotnet_client()
    with rig.trusting("127.0.0.1"):
        said = run(*command, str(rig.submission), f"shop@{SENDER}", to)
    assert said == b"sent\n"
    [arrived] = postfix.wait_for(token.encode(), 1)
    mail = email.message_from_bytes(arrived, policy=email.policy.default)
    assert (mail["subject"], mail["from"].addresses[0].display_name) == ("ご注文の確認", "ショップ")
    body = mail.get_body().get_content().removeprefix("\ufeff")  # which Mono puts there
    assert body.split() == ["ありがとうございます", ".", "終わり"]
    [file] = mail.iter_attachments()
    assert file.get_filename() == "領収書.txt"
    assert file.get_payload(decode=True) == "領収書".encode()


def delivered_to(arrived):
    """Return the one recipient that this copy was for, as the server noted it on top."""
    [line] = [
        line
        for line in header_of(arrived)
        if line.lower().startswith((b"delivered-to:", b"envelope-to:"))
    ]
    return line.partition(b":")[2].strip().decode()


def header_of(arrived):
    return arrived.partition(b"\r\n\r\n")[0].split(b"\r\n")


def assert_faithful(arrived):
    body = arrived.partition(b"\r\n\r\n")[2]
    assert hashlib.sha256(body).hexdigest() == hashlib.sha256(BODY).hexdigest(), body
    assert not any(line.lower().startswith(b"bcc:") for line in header_of(arrived))
    own = (
        HEADER.partition("Message-ID")[0]
        .replace("\n", "\r\n")
        .replace("Bcc: box-hidden@postfix.test\r\n", "")
    )
    assert own.format(sender=SENDER).encode() in arrived


def assert_signed(arrived, record, folder):
    """Check that dkimpy and OpenDKIM both say so; neither has any code of ours."""
    name, text = record
    assert dkim.verify(
        arrived,
        dnsfunc=lambda asked, timeout=5: (
            text.encode() if asked.rstrip(b".").decode() == name else None
        ),
    )
    peers.need("opendkim")
    keys, conf, file = folder / "keys", folder / "opendkim.conf", folder / "signed"
    keys.write_text(f"{name} {text}\n")
    conf.write_text(f"TestPublicKeys {keys}\n")
    file.write_bytes(arrived.replace(b"\r\n", b"\n"))
    said = run("opendkim", "-x", str(conf), "-vvv", "-t", str(file))
    assert b"verification (s=" in said, said
    assert b"succeeded" in said, said


def assert_told_truly(rig, message_id, recipients):
    """Check what `trace` and `conservation` tell programs."""
    shown = rig.trace(message_id)
    assert (shown["message"]["message_id"], shown["message"]["from"]) == (
        message_id,
        f"shop@{SENDER}",
    )
    assert {each["recipient"]: each["state"] for each in shown["deliveries"]} == dict.fromkeys(
        recipients, "delivered"
    )
    for each in shown["deliveries"]:
        [attempt] = each["attempts"]
        assert (attempt["stage"], attempt["code"]) == ("body", 250)
        assert attempt["host"] == f"mx.{each['recipient'].partition('@')[2]}"
        assert attempt["tls"].startswith("TLSv1.3")
        assert each["waiting"] is None
    assert_conserved(rig)


def assert_conserved(rig):
    counted = rig.manage_json("conservation")
    assert counted["missing"] == 0
    assert counted["accepted"] == sum(
        counted[state]
        for state in ("delivered", "bounced", "expired", "suppressed", "cancelled", "live")
    )
