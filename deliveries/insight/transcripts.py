"""The SMTP dialogue of an attempt as people read it: each step with what it means."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from deliveries.models import Delivery, Transcript, TranscriptRequest
from deliveries.smtp.outcomes import Stage

SHOWN_MOST = 20  # transcripts of one delivery

Said = str | Promise

COMMANDS: dict[str, Said] = {
    "EHLO": gettext_lazy("We say who we are and ask what the host offers."),
    "HELO": gettext_lazy("We say who we are in the old way."),
    "STARTTLS": gettext_lazy("We ask to encrypt the connection."),
    "AUTH": gettext_lazy("We log in."),
    "MAIL": gettext_lazy("We name the return path, to which bounces come back."),
    "RCPT": gettext_lazy("We name the recipient."),
    "DATA": gettext_lazy("We ask to send the content."),
    "BDAT": gettext_lazy("We send the content as one chunk."),
    "RSET": gettext_lazy("We take back the message before."),
    "QUIT": gettext_lazy("We say goodbye."),
    ".": gettext_lazy("We end an empty message."),
}
AGREED: dict[str, Said] = {
    Stage.GREETING: gettext_lazy("The host is ready."),
    Stage.EHLO: gettext_lazy("The host says what it offers."),
    Stage.STARTTLS: gettext_lazy("The host agrees to encrypt."),
    Stage.AUTH: gettext_lazy("The host knows us now, or asks for more."),
    Stage.MAIL: gettext_lazy("The host takes the return path."),
    Stage.RCPT: gettext_lazy("The host takes the recipient."),
    Stage.DATA: gettext_lazy("The host waits for the content."),
    Stage.BODY: gettext_lazy("The host has taken the message: it answers for it from here on."),
}
REFUSED: dict[str, Said] = {
    Stage.GREETING: gettext_lazy("It is about our host or its address, not about the message."),
    Stage.EHLO: gettext_lazy("It is about our host or its name, not about the message."),
    Stage.STARTTLS: gettext_lazy("It is about encryption."),
    Stage.AUTH: gettext_lazy("It is about our log-in, not about the message."),
    Stage.MAIL: gettext_lazy("It is about the sender, or about us."),
    Stage.RCPT: gettext_lazy("It is about the recipient, or about us."),
    Stage.DATA: gettext_lazy("It is about the message before its content was seen."),
    Stage.BODY: gettext_lazy("It is about the content of the message."),
}
TEMPORARY, FINAL = "4", "5"


class TranscriptLine(TypedDict):
    """One line: when since the connection, who (`client`, `server`, `event`), and what."""

    seconds: float
    who: str
    text: str
    meaning: str


def of(deliveries: Iterable[Delivery]) -> dict[tuple[UUID, datetime], list[TranscriptLine]]:
    """Return the transcripts by delivery and time of the attempt."""
    rows = Transcript.objects.filter(delivery__in=[each.pk for each in deliveries]).order_by("-id")
    return {
        (row.delivery_id, row.at): [
            TranscriptLine(
                seconds=at, who=who, text=shown(who, what), meaning=meaning(who, what, stage)
            )
            for at, who, what, stage in row.said
        ]
        for row in rows[: SHOWN_MOST * 10]
    }


def asked(deliveries: Iterable[Delivery]) -> set[UUID]:
    """Return the ids of those whose next attempt somebody wants written down."""
    ids = [each.pk for each in deliveries]
    rows = TranscriptRequest.objects.filter(delivery__in=ids)
    return set(rows.values_list("delivery", flat=True))


def request(deliveries: Iterable[Delivery], *, by: str) -> int:
    """Ask for notes of the next attempt of each that waits; return how many those are."""
    asked = [TranscriptRequest(delivery=each, by=by) for each in deliveries if each.is_live]
    TranscriptRequest.objects.bulk_create(asked, ignore_conflicts=True)
    return len(asked)


def shown(who: str, what: str) -> str:
    kind, _blank, rest = what.partition(" ")
    if who == "event" and kind == "content" and rest.isdigit():
        return _("(%s bytes of content)") % f"{int(rest):,}"
    return what


def meaning(who: str, what: str, stage: str) -> str:
    """Return what the step does or says; empty where the line says it itself."""
    if who == "client":
        return str(COMMANDS.get(what.partition(" ")[0].upper(), ""))
    if who == "event":
        return _("The connection is encrypted from here on.") if what.startswith("TLS ") else ""
    if what[3:4] == "-":  # the last line of a reply tells
        return ""
    about = str(REFUSED.get(stage, ""))
    match what[:1]:
        case "2" | "3":
            return str(AGREED.get(stage, ""))
        case "4":
            return " ".join((_("Not now: we try again."), about)).strip()
        case "5":
            return " ".join((_("No, for good."), about)).strip()
    return ""
