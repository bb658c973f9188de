"""Receivers that each break one thing, and what becomes of mail to them: by Postfix, by Ekiden,
and why where that differs.

A receiver is a scripted MX (`tests.fakes.mx`); where it has a second host, that one is well. Each
is built once for either client, so that what happens once happens to both.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.certificates import Authority, self_signed
from tests.fakes.mx import EXTENSIONS, FakeMx
from tests.fakes.mx_actions import Answer, Discard, Drip, Drop, Held, Reset, TakeAndDrop, Wait

Script = Callable[[FakeMx], None]
DELIVERED, DEFERRED, BOUNCED = "delivered", "deferred", "bounced"
USUAL = ("plain", "eight", "large")  # the messages that each receiver is sent
NO_TLS = tuple(each for each in EXTENSIONS if each != "STARTTLS")


def without(*keywords: str) -> tuple[str, ...]:
    return tuple(each for each in EXTENSIONS if each.split()[0] not in keywords)


@dataclass(frozen=True)
class Receiver:
    """`postfix` and `ekiden`: what becomes of all its messages; `reason`: why the two differ, and
    only then.

    `tls` names one of `certificates`. `may_come_twice`: the client cannot know that it was taken.
    """

    name: str
    breaks: str
    script: Script
    offers: tuple[str, ...] = EXTENSIONS
    tls: str = ""
    messages: tuple[str, ...] = USUAL
    has_second: bool = False
    is_dead: bool = False  # nobody listens at its first host
    window: int = 0
    may_come_twice: bool = False
    postfix: str = DELIVERED
    ekiden: str = DELIVERED
    reason: str = ""


def always(**answers: Answer) -> Script:
    """Break in this way at each of these moments."""

    def script(mx: FakeMx) -> None:
        for moment, answer in answers.items():
            mx.on(moment, answer)

    return script


def once(**answers: Answer) -> Script:
    """Break in this way the first time, and be well after it."""

    def script(mx: FakeMx) -> None:
        for moment, answer in answers.items():
            mx.on(moment, answer, None)

    return script


def each_recipient_once(answer: str) -> Script:
    """Answer so to the first try at each recipient, as greylisting does."""

    def script(mx: FakeMx) -> None:
        seen: set[str] = set()

        def judge(path: str) -> str | None:
            if path in seen:
                return None
            seen.add(path)
            return answer

        mx.on("RCPT", judge)

    return script


def with_parameter(moment: str, parameter: str, answer: str) -> Script:
    """Answer so where the command has this parameter."""
    return always(**{moment: lambda argument: answer if f" {parameter}" in argument else None})


def every_second(moment: str, answer: Answer) -> Script:
    """Break at the second, the fourth, the sixth … time."""

    def script(mx: FakeMx) -> None:
        count = iter(range(1_000_000))
        mx.on(moment, lambda _: answer if next(count) % 2 else None)

    return script


def refusing_rset(mx: FakeMx) -> None:
    """Refuse RSET, which is said after a refusal."""
    each_recipient_once("451 4.7.1 try again")(mx)
    mx.on("RSET", "502 5.5.1 what")


def ehlo(*lines: str) -> Script:
    return always(EHLO="250 " + "\n".join(("mx.test", *lines)))


SJIS = "250 受け付けました\r\n".encode("shift_jis")
NO_MEMORY = "Postfix keeps nothing of what a host did and meets it again at each try"
ONLY_OFFERED = (
    "Postfix takes the refusal of the parameter for one of the message; Ekiden "
    "offers the same "
    "message without it"
)
NO_MEANING = (
    "A reply that has no meaning at its place is no refusal; Ekiden tries again "
    "later, Postfix "
    "gives up at once"
)
TOO_EARLY = (
    "An answer that comes before the content may be one to something else, and the "
    "true one a "
    "refusal: counted as taken, mail would be lost"
)
RECEIVERS = (
    # --- extensions that are offered and broken
    Receiver("bdat-502", "CHUNKING: BDAT is answered 502",
        always(BDAT="502 5.5.1 no such command")),
    Receiver("bdat-drop", "CHUNKING: hangs up at the line of BDAT", always(BDAT=Drop())),
    Receiver("bdat-reset", "CHUNKING: RST at the line of BDAT", always(BDAT=Reset())),
    Receiver("pipelining-lost", "PIPELINING: loses what follows MAIL in one packet",
             always(MAIL=[Discard(), "250 2.1.0 ok"]), postfix=DEFERRED, reason=NO_MEMORY),
    Receiver("size-501", "SIZE: its parameter is refused",
             with_parameter("MAIL", "SIZE=", "501 5.5.4 unknown parameter"), postfix=BOUNCED,
             reason=ONLY_OFFERED),
    Receiver("size-small", "SIZE: announces less than the message has", always(),
             offers=(*without("SIZE"), "SIZE 40000"), messages=("large",), postfix=BOUNCED,
             ekiden=BOUNCED),
    Receiver("size-none", "SIZE: offered without a number", always(),
        offers=(*without("SIZE"), "SIZE")),
    Receiver("size-zero", "SIZE 0", always(), offers=(*without("SIZE"), "SIZE 0")),
    Receiver("size-words", "SIZE: no number", always(),
        offers=(*without("SIZE"), "SIZE unlimited")),
    Receiver("8bitmime-501", "8BITMIME: its parameter is refused",
             with_parameter("MAIL", "BODY=", "501 5.5.4 unknown parameter"), messages=("eight",),
             postfix=BOUNCED, reason=ONLY_OFFERED),
    Receiver("8bitmime-absent", "no 8BITMIME", always(), offers=without("8BITMIME", "SMTPUTF8")),
    Receiver("dsn-555", "DSN: the parameters of RCPT are refused",
             with_parameter("RCPT", "ORCPT=", "555 5.5.4 unknown parameter"),
             offers=(*EXTENSIONS, "DSN"),
             postfix=BOUNCED, reason=("Postfix says ORCPT wherever DSN is offered; Ekiden says "
                 "no parameter of DSN")),
    Receiver("helo-only", "EHLO is answered 502", always(EHLO="502 5.5.1 not implemented")),
    Receiver("ehlo-drop", "answers 500 to EHLO and hangs up",
        always(EHLO=["500 5.5.1 what", Drop()]),
             postfix=DEFERRED, ekiden=DEFERRED),
    Receiver("ehlo-odd", "lines of EHLO in lower case, with '=', empty or unknown",
             ehlo("pipelining", "size=1000000", "auth=login plain", "", "X-ODD 1 2 3", "8bitmime",
                 "-")),
    # --- STARTTLS
    Receiver("tls-454", "STARTTLS: offered and refused for now",
        always(STARTTLS="454 4.7.0 TLS not available"), tls="good"),
    Receiver("tls-502", "STARTTLS: offered and not known", always(STARTTLS="502 5.5.1 what"),
        tls="good"),
    Receiver("tls-garbage", "STARTTLS: garbage in place of the handshake",
             always(HANDSHAKE=[b"\x15garbage in place of a record\r\n" * 4, Drop()]), tls="good"),
    Receiver("tls-drop", "STARTTLS: hangs up behind its 220", always(HANDSHAKE=[Drop()]),
        tls="good"),
    Receiver("tls-other-name", "STARTTLS: a certificate of another name", always(), tls="good"),
    Receiver("tls-expired", "STARTTLS: an expired certificate", always(), tls="expired"),
    Receiver("tls-1.0", "STARTTLS: TLS 1.0 only", always(), tls="old"),
    # --- the greeting
    Receiver("banner-lines", "a greeting of several lines",
        always(GREETING="220 mx.test\nwelcome\nno spam")),
    Receiver("banner-noise", "a greeting with lines without a code",
             always(GREETING=b"220-mx.test\r\nNo spam here.\r\n\r\n220 ESMTP\r\n")),
    Receiver("banner-before", "a line without a code before the greeting",
             always(GREETING=b"*** authorised use only ***\r\n220 mx.test ESMTP\r\n")),
    Receiver("banner-late", "greets after three seconds",
        always(GREETING=[Wait(3), "220 mx.test"])),
    Receiver("banner-554", "refuses the session for good, once",
        once(GREETING="554 5.3.2 no service")),
    # --- 421, and loss, at each stage
    Receiver("421-banner", "421 at the greeting, once", once(GREETING=["421 4.3.2 later", Drop()])),
    Receiver("421-ehlo", "421 at EHLO, once", once(EHLO=["421 4.3.2 later", Drop()])),
    Receiver("421-mail", "421 at MAIL, once", once(MAIL=["421 4.3.2 later", Drop()])),
    Receiver("421-rcpt", "421 at RCPT, once", once(RCPT=["421 4.3.2 later", Drop()])),
    Receiver("421-data", "421 at DATA, once", once(DATA=["421 4.3.2 later", Drop()])),
    Receiver("421-dot", "421 at the dot, once", once(BODY=["421 4.3.2 later", Drop()])),
    Receiver("drop-banner", "hangs up in place of a greeting, once", once(GREETING=Drop())),
    Receiver("drop-ehlo", "hangs up at EHLO, once", once(EHLO=Drop())),
    Receiver("drop-mail", "hangs up at MAIL, once", once(MAIL=Drop())),
    Receiver("drop-rcpt", "hangs up at RCPT, once", once(RCPT=Reset())),
    Receiver("drop-data", "hangs up at DATA, once", once(DATA=Drop())),
    Receiver("drop-each", "hangs up after each message", always(BODY=["250 2.0.0 taken", Drop()])),
    Receiver("421-after", "says 421 after each message", always(
        BODY=[b"250 2.0.0 taken\r\n421 4.7.0 enough\r\n", Drop()])),
    Receiver("421-second", "says 421 to every second MAIL",
        every_second("MAIL", ["421 4.7.0 enough", Drop()])),
    # --- more than one host
    Receiver("dead-first", "nobody listens at the first host", always(), is_dead=True,
        has_second=True),
    Receiver("421-first", "the first host is always closed",
        always(GREETING=["421 4.3.2 closed", Drop()]), has_second=True),
    Receiver("452-first", "the first host has a full disk", always(MAIL="452 4.3.1 full"),
        has_second=True),
    Receiver("451-dot-first", "the first host cannot store",
        always(BODY="451 4.3.0 queue file write error"),
             has_second=True),
    Receiver("mailbox-first", "the first host says of every mailbox that it is not ready",
        always(RCPT="450 4.2.0 mailbox is not ready"), has_second=True),
    Receiver("greylist-first", "the first host is greylisting for ever",
        always(RCPT="451 4.7.1 Greylisting in action, please come back later"), has_second=True),
    Receiver("maintenance-first", "the first host is in maintenance",
        always(MAIL="451 4.3.2 Down for maintenance"), has_second=True),
    # --- refusals
    Receiver("greylist", "greylisting", each_recipient_once("450 4.2.0 greylisted, try again")),
    Receiver("rset-502", "RSET is refused", refusing_rset),
    Receiver("550-rcpt", "no such user", always(RCPT="550 5.1.1 no such user"), postfix=BOUNCED,
        ekiden=BOUNCED),
    Receiver("enhanced-wrong", "a 4yz with an enhanced code of class 5, once",
             each_recipient_once("450 5.1.1 try again in a second")),
    Receiver("enhanced-ok", "2yz with enhanced codes of classes 4 and 5",
             always(MAIL="250 4.0.0 ok", RCPT="250 5.1.1 ok", BODY="250 5.0.0 ok")),
    Receiver("251", "251 at RCPT", always(RCPT="251 2.1.5 will forward")),
    Receiver("252", "252 at RCPT", always(RCPT="252 2.1.5 cannot verify, will try")),
    Receiver("354-dot", "354 at the dot", always(BODY="354 go ahead"), postfix=BOUNCED,
        ekiden=BOUNCED),
    Receiver("250-data", "250 at DATA", always(DATA="250 2.0.0 ok"), postfix=BOUNCED,
        ekiden=DEFERRED, reason=NO_MEANING),
    Receiver("quit-500", "5yz at QUIT", always(QUIT="500 5.5.1 what")),
    Receiver("quit-drop", "hangs up at QUIT", always(QUIT=Drop())),
    Receiver("partly", "refuses one recipient of two", always(
        RCPT=lambda path: "550 5.1.1 no such user" if "refused" in path else None),
        messages=("two",)),
    # --- replies
    Receiver("reply-8bit", "replies in Shift_JIS", always(MAIL=SJIS, RCPT=SJIS, BODY=SJIS)),
    Receiver("reply-nul", "NUL in replies",
        always(MAIL=b"250 o\0k\r\n", RCPT=b"250 \0\r\n", BODY=b"250 ok\0\r\n")),
    Receiver("reply-long", "reply lines of 5,000 octets",
        always(RCPT="250 " + "x" * 5000, BODY="250 " + "y" * 5000)),
    Receiver("reply-many", "replies of a hundred lines",
        always(RCPT="250 " + "\n".join(["ok"] * 100))),
    Receiver("reply-bare", "replies of a code alone",
        always(MAIL=b"250\r\n", RCPT=b"250\r\n", DATA=b"354\r\n", BODY=b"250\r\n")),
    Receiver("reply-lf", "replies that end in LF",
        always(GREETING=b"220 mx\n", MAIL=b"250 ok\n", RCPT=b"250-ok\n250 ok\n",
                                                         DATA=b"354 go\n", BODY=b"250 ok\n")),
    Receiver("reply-drip", "replies octet by octet", always(**{
        moment: Drip(text, 0.001) for moment, text in {
            "GREETING": "220 mx.test", "MAIL": "250 2.1.0 ok", "RCPT": "250 2.1.5 ok",
            "BODY": "250 2.0.0 taken"}.items()})),
    Receiver("reply-one-packet", "the replies to a group in one packet", always(
        MAIL=Held("250 2.1.0 ok"), RCPT=Held("250 2.1.5 ok"))),
    Receiver("reply-early", "250 before the dot",
        always(DATA=b"354 go ahead\r\n250 2.0.0 taken\r\n", BODY=TakeAndDrop()),
             ekiden=DEFERRED, reason=TOO_EARLY),
    Receiver("reply-lost", "takes the message and hangs up, once", once(BODY=TakeAndDrop()),
        may_come_twice=True),
    Receiver("window", "reads nothing for three seconds", always(DATA=["354 go ahead", Wait(3)]),
        offers=without("CHUNKING"),
             messages=("huge",), window=8192),
    Receiver("body-late", "thinks about the message for three seconds",
        always(BODY=[Wait(3), "250 2.0.0 taken"])),
)  # fmt: skip


def certificates(folder: Path) -> dict[str, ssl.SSLContext]:
    """Return what `Receiver.tls` names."""
    old = self_signed(folder, "mx.old.test")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1
    old.set_ciphers("ALL:@SECLEVEL=0")
    expired = Authority(folder).server("mx.test", is_expired=True)
    return {"good": self_signed(folder, "mx.another.test"), "expired": expired, "old": old}


def table() -> list[str]:
    """Return the differences, as the rows of the table in docs/receivers.md."""
    return [
        f"| {each.breaks} | {each.postfix} | {each.ekiden} | {each.reason} |"
        for each in RECEIVERS
        if each.reason
    ]
