"""Hosts that offer an extension and break it: the message arrives without it, once and at once,
and the lane keeps that for a while.
"""

import time
from dataclasses import dataclass, field

import pytest
from django.utils import timezone

from deliveries.insight import host_notes
from deliveries.models import Attempt, Delivery, Lane
from tests.deliveries import make
from tests.deliveries.stage import play
from tests.fakes.certificates import Authority
from tests.fakes.mx import EXTENSIONS
from tests.fakes.mx_actions import Drop, Reset

pytestmark = pytest.mark.usefixtures("mail_db")


@dataclass
class Host:
    """`answers` by moment, one after the other; `says` what our client must not say any more once
    the host has broken `keyword`.
    """

    keyword: str
    answers: dict[str, tuple]
    offers: tuple[str, ...] = EXTENSIONS
    messages: int = 1
    priority: int = 1
    tls: bool = False
    message: dict[str, bool] = field(default_factory=dict)


def refuses(parameter, answer):
    return (lambda argument: answer if f" {parameter}" in argument else None,)


HOSTS = {
    "BDAT is unknown": Host("CHUNKING", {"BDAT": ("500 5.5.1 Command unrecognized",)}, messages=3),
    "BDAT is not implemented": Host(
        "CHUNKING", {"BDAT": ("502 5.5.1 Not implemented",)}, messages=3
    ),
    "BDAT comes out of turn": Host(
        "CHUNKING", {"BDAT": ("503 5.5.1 Bad sequence of commands",)}, messages=3
    ),
    "LAST is unknown": Host(
        "CHUNKING", {"BDAT": ("504 5.5.4 Parameter not implemented",)}, messages=3
    ),
    "BDAT ends the session": Host("CHUNKING", {"BDAT": (Drop(),)}, messages=3),
    "BDAT resets the connection": Host("CHUNKING", {"BDAT": (Reset(),)}, messages=3),
    "only MAIL is read of a group": Host(
        "PIPELINING", {"RCPT": ("503 5.5.1 MAIL first", "250 2.1.5 ok")}
    ),
    "a group is an error": Host(
        "PIPELINING", {"RCPT": ("554 5.5.0 SMTP synchronization error", "250 2.1.5 ok")}
    ),
    "a group ends the session": Host("PIPELINING", {"RCPT": (Drop(), "250 2.1.5 ok")}),
    "SIZE= is unknown": Host(
        "SIZE", {"MAIL": refuses("SIZE=", "555 5.5.4 Unsupported option: SIZE")}
    ),
    "SIZE= is a syntax error": Host(
        "SIZE",
        {"MAIL": refuses("SIZE=", "501 5.5.4 Syntax: MAIL FROM:<address>")},
        ("SIZE 1000000",),
    ),
    "MT-PRIORITY= is unknown": Host(
        "MT-PRIORITY", {"MAIL": refuses("MT-P", "504 5.5.4 What?")}, ("MT-PRIORITY",), priority=2
    ),
    "BODY= is unknown": Host(
        "8BITMIME", {"MAIL": refuses("BODY=", "555 5.5.4 BODY?")}, message={"eight_bit": True}
    ),
    "SIZE= is refused in words": Host(
        "SIZE", {"MAIL": refuses("SIZE=", "550 5.5.0 Parameter SIZE not recognized")}
    ),
    "BODY= is refused in words": Host(
        "8BITMIME",
        {"MAIL": refuses("BODY=", "550 5.5.4 BODY=8BITMIME not implemented")},
        message={"eight_bit": True},
    ),
    "SMTPUTF8 is unknown": Host(
        "SMTPUTF8", {"MAIL": refuses("SMTPUTF8", "501 5.5.4 No.")}, message={"smtputf8": True}
    ),
    "TLS ends the session": Host("STARTTLS", {"HANDSHAKE": (Drop(),)}, tls=True),
    "DSN's parameters are unknown": Host(
        "", {"MAIL": refuses("RET=", "501 no"), "RCPT": refuses("NOTIFY=", "501 no")}, ("DSN",)
    ),
}


@pytest.mark.parametrize("name", HOSTS)
def test_a_refused_extension_is_not_a_refused_message(settings, tmp_path, name):
    host = HOSTS[name]
    make.rule(connections=1)
    of = make.message(**host.message)
    for number in range(host.messages):
        make.delivery(f"u{number}@mx.test", of, priority=host.priority)

    def script(mx):
        mx.extensions, mx.tls = (
            host.offers,
            Authority(tmp_path).server("in.mx.test") if host.tls else None,
        )
        for moment, answers in host.answers.items():
            mx.on(moment, *answers)

    mx = play(settings, script, seconds=60)
    assert sorted(each.recipients[0] for each in mx.messages) == [
        f"u{number}@mx.test" for number in range(host.messages)
    ]
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"delivered"}
    broken = (
        Lane.objects.get(site="in.mx.test")
        .experience.get("hosts", {})
        .get("in.mx.test", {})
        .get("broken", {})
    )
    assert list(broken) == (
        [host.keyword] if host.keyword else []
    )  # what has ended would have been left out


def test_what_a_host_breaks_is_not_tried_again_while_that_is_remembered(settings, tmp_path):
    until = time.time() + 3600
    known = {
        "hosts": {
            "in.mx.test": {
                "broken": {
                    "PIPELINING": [until, "503"],
                    "SIZE": [until, "555"],
                    "STARTTLS": [until, "lost"],
                }
            }
        }
    }
    make.lane("in.mx.test", hosts=[[10, "in.mx.test", 0]], experience=known)
    make.delivery()
    mx = play(settings, lambda mx: setattr(mx, "tls", Authority(tmp_path).server("in.mx.test")))
    assert not mx.messages[0].is_tls and mx.messages[0].mail_parameters == []
    assert b"MAIL" in mx.raw and mx.violations == []


def test_what_was_remembered_has_an_end(settings):
    known = {"hosts": {"in.mx.test": {"broken": {"SIZE": [time.time() - 1, "555"]}}}}
    make.lane("in.mx.test", hosts=[[10, "in.mx.test", 0]], experience=known)
    make.delivery()
    mx = play(settings)
    assert any(parameter.startswith("SIZE=") for parameter in mx.messages[0].mail_parameters)
    assert "broken" not in Lane.objects.get(site="in.mx.test").experience["hosts"]["in.mx.test"]


def test_a_refused_sender_is_refused_with_and_without_parameters(settings):
    make.delivery()
    mx = play(settings, lambda mx: mx.on("MAIL", "501 5.1.7 Bad sender address syntax"))
    assert Delivery.objects.get().state == "bounced"
    assert sum(line.startswith("MAIL") for line in mx.commands) == 2
    assert "hosts" not in Lane.objects.get(site="in.mx.test").experience


def test_chunks_go_in_one_trip_once_the_host_has_taken_one(settings):
    make.rule(connections=1)
    of = make.message()
    for number in range(3):
        make.delivery(f"u{number}@mx.test", of)
    mx = play(settings)
    assert [message.is_chunked for message in mx.messages] == [False, True, True]
    assert (
        "CHUNKING"
        in Lane.objects.get(site="in.mx.test").experience["hosts"]["in.mx.test"]["proven"]
    )


def test_people_see_what_is_remembered():
    known = {
        "hosts": {
            "in.mx.test": {
                "broken": {
                    "CHUNKING": [time.time() + 3600, "500 what?"],
                    "SIZE": [time.time() - 1, "gone"],
                }
            }
        }
    }
    lane = make.lane("in.mx.test", experience=known)
    (line,) = host_notes.lines(lane, now=timezone.now())
    assert line.startswith("in.mx.test: without CHUNKING until ") and line.endswith("500 what?")
