"""Show what became of a message."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.management.color import Style
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from deliveries.insight import transcripts
from deliveries.insight.refused import RefusalFacts, refusals
from deliveries.insight.tracing import (
    AttemptFacts,
    DeliveryFacts,
    Trace,
    trace,
)
from deliveries.insight.wait_reasons import short
from deliveries.models import Delivery
from deliveries.models.states import LIVE, DeliveryState
from domains.foundation.command import CommandError, CommandParser, EkidenCommand
from domains.foundation.text.texts import clean
from domains.operations import audit
from suppressions.classes import MEANINGS, Class, Meaning
from suppressions.keys import known_key
from suppressions.models import Suppression

WHO = {"client": ">", "server": "<", "event": "-"}
MARKS = {DeliveryState.DELIVERED: "✓", **dict.fromkeys(LIVE, "…")}  # whatever else has ended badly


class Command(EkidenCommand):
    help = "Show what became of a message, attempt by attempt, and why what waits does."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "query",
            metavar="QUERY",
            help="a queue id, a Message-ID, or a recipient's address (newest 20 messages)",
        )
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help="one object; a list of them where several match",
        )

        parser.add_argument(
            "--dialogue",
            action="store_true",
            help="print what was said by SMTP, where it is kept",
        )
        parser.add_argument(
            "--note-next",
            action="store_true",
            help="have the SMTP dialogue of the next attempt of what waits noted",
        )

    def handle(
        self,
        *args: Any,
        query: str,
        as_json: bool,
        dialogue: bool,
        note_next: bool,
        **options: Any,
    ) -> None:
        found, refused = trace(query), refusals(query)
        if not (found or refused):
            text = (
                f"No message: {short(query)} is no queue id, Message-ID or recipient of any "
                "message that is kept."
            )
            raise CommandError(" ".join([text, *_suppressed(query)]))
        if note_next:
            _note_next(found)
        if as_json:
            everything = [*found, *({"refused": each} for each in refused)]
            return self.write_json(everything[0] if len(everything) == 1 else everything)
        parts = ["\n".join(lines(each, self.style, has_dialogue=dialogue)) for each in found]
        return self.stdout.write(
            "\n\n".join(
                [*parts, *(["\n".join(refused_lines(refused, self.style))] if refused else [])]
            )
        )


def _suppressed(query: str) -> Iterator[str]:
    """Say why the address is suppressed, if it is."""
    key = known_key(query)
    keys = [key, f"@{key.rpartition('@')[2]}"] if key else []
    for row in (
        Suppression.objects.filter(address_key__in=keys)
        .select_related("project")
        .order_by("id")[:5]
    ):
        whose = f"for the project {row.project}" if row.project else "for all"
        yield (
            f"{row.address_key} is suppressed {whose} since {row.created_at:%Y-%m-%d %H:%M} UTC: "
            f"{short(row.reason)}."
        )


def _note_next(found: list[Trace]) -> None:
    messages = [UUID(each["message"]["id"]) for each in found]
    waiting = Delivery.objects.live().filter(message__in=messages).select_related("message")
    if not waiting:
        raise CommandError("Nothing of it waits: there is no next attempt.")
    with transaction.atomic():
        transcripts.request(waiting, by=audit.command_line())
        for message in {each.message_id: each.message for each in waiting}.values():
            audit.note_command("note_next", message)


def lines(found: Trace, style: Style, *, has_dialogue: bool = False) -> Iterator[str]:
    """Yield the trace of one message as people read it.

    Whatever a peer said is one printable line.
    """
    message = found["message"]
    yield style.MIGRATE_HEADING(f"Message {message['id']}")
    yield f"  Message-ID  {short(message['message_id'])}"
    yield f"  from        {short(message['from']) or '<> (null reverse-path)'}"
    yield f"  size        {message['size']:,} bytes"
    yield f"  accepted    {_clock(message['accepted_at'])}"
    if message["resent_from"]:
        yield f"  resent from {message['resent_from']}"
    for again in message["resent_as"]:
        yield f"  resent as   {again}"
    for delivery in found["deliveries"]:
        yield ""
        yield from _delivery_lines(delivery, style, has_dialogue)


def refused_lines(refused: list[RefusalFacts], style: Style) -> Iterator[str]:
    """Yield what the app was told instead of a queue id; many clients show it to nobody."""
    yield style.MIGRATE_HEADING("Refused when apps handed it in")
    for each in refused:
        yield (
            f"{style.ERROR('✗')} {short(each['recipient'])}  from {short(each['from']) or '<>'}  "
            f"credential {each['credential']}"
        )
        yield (
            f"    {_clock(each['at'])}  {each['command']:<11} "
            f"{short(' '.join((str(each['code']), each['enhanced'], each['text'])))}"
        )


def _delivery_lines(delivery: DeliveryFacts, style: Style, has_dialogue: bool) -> Iterator[str]:
    state = DeliveryState(delivery["state"])
    paint = (
        style.SUCCESS
        if state is DeliveryState.DELIVERED
        else style.WARNING
        if state in LIVE
        else style.ERROR
    )
    yield (
        f"{paint(MARKS.get(state, '✗'))} {short(delivery['recipient'])}  {paint(str(state.label))}"
    )
    for attempt in delivery["attempts"]:
        yield f"    {_clock(attempt['at'])}  {attempt['stage']:<11} {_where(attempt)}"
        yield f"        {_answer(attempt)}"
        if meaning := _meaning(attempt):
            advice = meaning.advice if state in LIVE else meaning.final_advice
            yield (
                f"        = {meaning.title}. "
                f"{advice if attempt is delivery['attempts'][-1] else ''}"
            ).rstrip()
        if has_dialogue:
            yield from _dialogue(attempt)
    if delivery["waiting"]:
        yield f"    {delivery['waiting']}"


def _dialogue(attempt: AttemptFacts) -> Iterator[str]:
    """Write the lines of the dialogue: seconds since the connection, who speaks, and what is
    said.
    """
    for line in attempt["transcript"] or ():
        said = f"{line['seconds']:8.3f} {WHO[line['who']]} {clean(line['text'])}"
        yield f"    {said:<70}{'  ' + line['meaning'] if line['meaning'] else ''}".rstrip()


def _meaning(attempt: AttemptFacts) -> Meaning | None:
    class_ = attempt["class"]
    return MEANINGS[Class(class_)] if class_ else None


def _where(attempt: AttemptFacts) -> str:
    host, source, tls = attempt["host"], attempt["source"], attempt["tls"]
    back = attempt["return_path"]
    parts = (
        host, f"from {source}" if source else "", f"with {tls}" if tls else "",
        f"back to {back}" if back else "",
    )  # fmt: skip
    return short(" ".join(filter(None, parts)) or "-")


def _answer(attempt: AttemptFacts) -> str:
    return short(
        " ".join(filter(None, (str(attempt["code"] or ""), attempt["enhanced"], attempt["text"])))
    )


def _clock(text: str) -> str:
    moment = parse_datetime(text)
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S %Z}" if moment else text
