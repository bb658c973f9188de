"""Codes and set words of providers in Italy, France, Czechia, Poland and Korea, each group with its
page and the day it was read.

How they are asked is said in `deliveries.classification.provider_codes`.
"""

from __future__ import annotations

from deliveries.classification.rules import said
from suppressions.classes import Class

# Italiaonline's hosts (Libero, Virgilio) end an answer with [smtp-NN.iol.local; LIB_NNN], as
# https://turbolab.it quotes them; LIB_102 is Cloudmark's list. Their other words,
# https://aiuto.libero.it/articolo/mail/messaggi-di-errore-piu-frequenti-dopo-invio-email, are those
# that everybody uses. Both read on 2026-11-29.
ITALIAONLINE = (
    *said(
        Class.REPUTATION, "italiaonline-listed", by="italiaonline",
        words=r"\blib_102\b|blacklisted by csi\b",
        example="550 smtp-10.iol.local IP blacklisted by CSI. For remediation please use "
                "http://csi.cloudmark.com/reset-request/ [smtp-10.iol.local; LIB_102]",
    ),
)  # fmt: skip

# https://postmaster.free.fr, read on 2026-11-29: an address that sent spam or made errors is
# blocked for 24 hours at most; "550 spam detected" is about one message, and everybody's word.
FREE = (
    *said(
        Class.REPUTATION, "free-address", by="free",
        words=r"too many errors (detected )?from your ip|postmaster\.free\.fr",
        example="421 Too many errors from your IP (192.0.2.1), please visit "
                "http://postmaster.free.fr/",
    ),
)  # fmt: skip

# https://napoveda.seznam.cz/uzivatel-neexistuje, read on 2026-11-29.
SEZNAM = (
    *said(
        Class.UNKNOWN_USER, "seznam-no-service", by="seznam", says_so_itself=True,
        words=r"user hasn't got the service mapped",
        example="5.1.1 szn; User hasn't got the service mapped",
    ),
)  # fmt: skip

# https://pomoc.poczta.interia.pl/news-dlaczego-wiadomosc-nie-zostala-dostarczona,nId,6589600, read
# on 2026-11-29: "Mailbox not available" is a wrong address, a full mailbox or a suspended account.
INTERIA = (
    *said(
        Class.MAILBOX_DISABLED, "interia-unavailable", by="interia", of=("interia",),
        words=r"^mailbox not available",
        example="550 5.2.1 Mailbox not available",
    ),
)  # fmt: skip

# Naver's and Daum's words as https://puffinknight.tistory.com/102, https://oliveit.tistory.com/39
# and https://auctionpro.co.kr/?p=2544 collect them, read on 2026-11-29; neither publishes a list.
# Daum puts a word of four letters before what it says: C about the connection, R the recipient.
KOREA = (
    *said(
        Class.REPUTATION, "naver-filtered", by="naver",
        words=r"your ip.{0,40} is filtered|realip\.naver\.com",
        example="421 4.3.2 Your IP(192.0.2.1) is filtered and this connection will be closed.",
    ),
    *said(
        Class.RECIPIENT_REFUSED, "korea-reject-list", by="naver",
        words=r"by user's reject list",
        example="550 You are registered as spammer (by user's reject list)",
    ),
    *said(
        Class.REPUTATION, "daum-blocked", by="daum",
        words=r"\bdas\d\d\b.{0,60}blocked|\bccrt\b.{0,60}refused",
        example="554 5.7.1 DAS51 192.0.2.1: Your mail is blocked automatically by anti-spam "
                "system. (E06)",
    ),
    *said(
        Class.RATE_LIMITED, "daum-busy", by="daum", detail="busy",
        words=r"\bchic\b.{0,60}network is busy",
        example="421 4.4.1 CHIC 192.0.2.1: Network is busy.",
    ),
    *said(
        Class.UNKNOWN_USER, "daum-no-user", by="daum",
        words=r"\brusr\b.{0,60}no such user",
        example="550 5.1.1 RUSR 192.0.2.1: No such user: <hanako@example.test>",
    ),
)  # fmt: skip

REGIONAL = (*ITALIAONLINE, *FREE, *SEZNAM, *INTERIA, *KOREA)
