"""What strangers hand in at the MX port: a poisoned letter stops nothing, and what is not proven
changes nothing.
"""

import base64
import re

import pytest

from tests.outside.service import DOMAIN

pytestmark = pytest.mark.timeout(600)  # on a busy machine the start alone takes minutes

HARD = "Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n"
FROM = (
    "From: MAILER-DAEMON@mx.test\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/report; boundary=x; report-type="
)


def bounce(named, header, encode=False):
    groups = "".join(f"Final-Recipient: rfc822; {address}\r\n{HARD}" for address in named)
    encoding = "Content-Transfer-Encoding: base64\r\n" if encode else ""
    about = base64.encodebytes(header.encode()).decode().replace("\n", "\r\n") if encode else header
    return (
        f"{FROM}delivery-status\r\n\r\n--x\r\n\r\nsorry\r\n--x\r\n"
        "Content-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; mx.test\r\n\r\n{groups}--x\r\nContent-Type: text/rfc822-headers\r\n"
        f"{encoding}\r\n{about}\r\n--x--\r\n"
    ).encode()


def complaint(named, header):
    return (
        f"{FROM}feedback-report\r\n\r\n--x\r\n\r\nspam\r\n--x\r\n"
        "Content-Type: message/feedback-report\r\n\r\n"
        "Feedback-Type: abuse\r\nUser-Agent: X/1\r\nVersion: 1\r\n"
        f"Original-Rcpt-To: <{named}>\r\n\r\n"
        f"--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: hello\r\n{header}\r\nhello\r\n"
        "--x--\r\n"
    ).encode()


@pytest.fixture
def sent(service, request):
    """Return one message to several, as all of them got it: [(address, return path, token field,
    Message-ID field)].
    """
    mark = re.sub(r"\W", "", request.node.name)[:40]

    def send(*names):
        to = [f"{name}.{mark}@example.com".lower() for name in names]
        with service.app() as session:
            body = (
                f"From: app@{DOMAIN}\r\nTo: undisclosed-recipients:;\r\nSubject: hello\r\n"
                f"Message-ID: <{mark}@{DOMAIN}>\r\n\r\nhello\r\n"
            )
            session.sendmail(f"app@{DOMAIN}", to, body.encode())
        look = (
            "SELECT recipient, mail_from, convert_from(data, 'UTF8') FROM "
            "smtp_listener_sandboxmessage WHERE recipient = ANY(%s)"
        )
        rows = service.wait_for(
            lambda: rows if len(rows := service.query(look, to)) == len(to) else None,
            "all have their copies",
            120,
        )
        service.wait_for(
            lambda: set(states(service, to).values()) == {"delivered"}, "all are delivered", 120
        )
        found = {}
        for address, path, data in rows:
            fields = dict(
                re.findall(r"^(X-Feedback-Token|Message-ID): (.*)\r$", data, re.MULTILINE)
            )
            assert data.count("X-Feedback-Token: ") == 1
            found[address] = (
                path,
                f"X-Feedback-Token: {fields['X-Feedback-Token']}\r\n",
                f"Message-ID: {fields['Message-ID']}\r\n",
            )
        return [(address, *found[address]) for address in to]

    return send


def states(service, to):
    return dict(
        service.query(
            "SELECT recipient, state FROM deliveries_delivery WHERE recipient = ANY(%s)", to
        )
    )


def figures(service):
    """Return all that a report may move: states, tallies, what was learned, suppressions, pauses,
    alerts, reports.
    """
    busy = "SELECT count(*) FROM deliveries_delivery WHERE owes_report OR ended_at IS NULL"
    service.wait_for(
        lambda: service.query(busy) == [(0,)],
        "what was sent before, and its reports, have ended",
        120,
    )
    count = """SELECT (SELECT count(*) FROM deliveries_delivery WHERE state <> 'delivered'
    OR owes_report),
        (SELECT coalesce(sum(amount), 0) FROM deliveries_tally WHERE category <> 'delivered'),
        (SELECT count(*) FROM suppressions_occurrence),
        (SELECT count(*) FROM suppressions_suppression), (SELECT count(*) FROM deliveries_stop),
            (SELECT count(*) FROM deliveries_alert),
        (SELECT count(*) FROM deliveries_message WHERE origin = 'report')"""
    return service.query(count)


def handed_in(service, data, to, seconds=60.0, sender=""):
    """Hand it in as a stranger, and wait until it was read."""
    code, said = service.to_mx(data, to, sender, source="127.8.0.1")
    assert code == 250, said
    unread = "SELECT count(*) FROM deliveries_inboundmail WHERE handled_at IS NULL"
    service.wait_for(lambda: service.query(unread) == [(0,)], "it is read", seconds)
    return service.query("SELECT finding FROM deliveries_inboundmail ORDER BY id DESC LIMIT 1")[0][
        0
    ]


def at(service, name):
    return f"{name}@{service.hostname}"


def test_a_poisoned_letter_holds_up_no_bounce_behind_it(service, sent):
    [(address, path, _, _)] = sent("you")
    assert (
        service.to_mx(
            bounce([address], "Message-ID: <a\0b@c>\r\n", encode=True), at(service, "postmaster")
        )[0]
        == 250
    )
    handed_in(service, bounce([address], ""), path)
    assert states(service, [address]) == {address: "bounced"}


def test_the_token_of_one_recipient_changes_no_other(service, sent):
    (mallory, _, token, _), (victim, *_) = sent("mallory", "victim")
    handed_in(service, complaint(victim, token), at(service, "abuse"))
    handed_in(service, bounce([victim], token), at(service, "postmaster"))
    assert states(service, [mallory, victim]) == {mallory: "bounced", victim: "delivered"}
    service.wait_for(
        lambda: (
            service.query(
                "SELECT count(*) FROM suppressions_suppression WHERE address_key = %s", mallory
            )
            == [(1,)]
        ),
        "learned",
    )
    assert service.query(
        "SELECT count(*) FROM suppressions_suppression WHERE address_key = %s", victim
    ) == [(0,)]


def test_a_message_id_alone_and_forty_forged_bounces_move_nothing(service, sent):
    copies = sent(*(f"staff{number}" for number in range(40)))
    before = figures(service)
    named, message_id = [address for address, *_ in copies], copies[0][3]
    assert handed_in(service, bounce(named, message_id), at(service, "postmaster")).startswith(
        "a claim without a proof"
    )
    assert handed_in(service, complaint(named[0], message_id), at(service, "abuse")).startswith(
        "a claim without a proof"
    )
    assert figures(service) == before
    assert "Not proven: somebody claims a bounce" in service.command("trace", named[1])


@pytest.mark.parametrize("mark", ["", "Auto-Submitted: auto-replied\r\n"])
def test_a_holiday_reply_is_no_complaint(service, sent, mark):
    [(address, path, _, _)] = sent("you")
    before = figures(service)
    reply = (
        f"From: {address}\r\nSubject: Unsubscribe confirmation\r\n{mark}\r\n"
        "I am away until Monday.\r\n"
    ).encode()
    handed_in(service, reply, path)
    handed_in(service, reply, at(service, "abuse"))
    assert figures(service) == before


def test_the_own_token_does_move(service, sent):
    [(address, _, token, _), (other, *_)] = sent("you", "other")
    assert (
        handed_in(service, complaint(address, token), at(service, "feedback"))
        == "the recipient has complained: abuse"
    )
    assert (
        handed_in(service, bounce([address], token), at(service, "postmaster"))
        == "the delivery has bounced: unknown_user"
    )
    assert states(service, [address, other]) == {address: "bounced", other: "delivered"}
