"""Say what a refusal, a bounce report or a complaint means."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.utils.translation import gettext

from deliveries.bounces.parsed_report import RecipientStatus, ReportKind
from deliveries.bounces.parser import read_mails
from deliveries.classification.caution import ENOUGH
from deliveries.classification.classifier import PHRASES, Answer, Classified, classify, version
from deliveries.classification.reply_text import parse
from deliveries.classification.unknown_stage import readings
from deliveries.smtp.outcomes import SCOPES, Stage
from domains.foundation.command import CommandError, CommandParser, EkidenCommand
from domains.foundation.text.texts import clean
from suppressions.classes import MEANINGS, Class

LARGEST = 67_108_864  # octets read of one file
STANDARD_INPUT = "-"
STAGES = [str(stage) for stage in SCOPES]
WORDS = {
    Stage.RCPT: "the recipient (rcpt)",
    Stage.BODY: "the whole message (body), or stands in a report",
}


class Command(EkidenCommand):
    help = (
        "Say what mails that came back, or a server's reply, mean. Needs neither the service nor "
        "its database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "files",
            metavar="FILE",
            nargs="*",
            help="a mail as it came (.eml), or an mbox of them; - is standard input",
        )
        parser.add_argument(
            "--reply",
            metavar="TEXT",
            help="a server's reply instead of files: '550 5.1.1 User unknown'",
        )
        parser.add_argument("--stage", choices=STAGES, help="what the reply answered")
        parser.add_argument("--host", metavar="MX", default="", help="the host that gave the reply")
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help="one object for each file, on a line of its own",
        )
        parser.add_argument(
            "--local",
            action="store_true",
            help="let the rules speak that were added in the portal (needs the database)",
        )
        parser.add_argument(
            "--why",
            action="store_true",
            help="name the signs that were weighed, and what spoke against",
        )
        parser.add_argument(
            "--tables", action="store_true", help="say the version of the shipped rules, and end"
        )
        self._add_measuring(parser)

    def _add_measuring(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--measure",
            metavar="FOLDER",
            action="append",
            help="say how well a corpus with expected results is understood",
        )
        parser.add_argument(
            "--part",
            metavar="N/OF",
            default="1/1",
            help="with --measure: only this part of the corpus, as 1/2",
        )
        parser.add_argument(
            "--show",
            metavar="N",
            type=int,
            default=0,
            help="with --measure: the first N wrong answers",
        )

    def handle(
        self,
        *args: Any,
        files: list[str],
        reply: str | None,
        stage: str | None,
        host: str,
        as_json: bool,
        **options: Any,
    ) -> None:
        if options["tables"]:
            return self.stdout.write(f"{len(PHRASES)} rules, version {version()}")
        if options["measure"]:
            return self._measure(options)
        if options["local"]:
            # Django's connection, which the command does without otherwise.
            from deliveries.classification import loaded_rules

            loaded_rules.load()
        if (reply is None) == (not files):
            raise CommandError("Give either files or --reply TEXT.")
        if reply is not None:
            return self._say_reply(_answer(reply, stage, host), as_json=as_json, why=options["why"])
        for name in files:
            kind, fates = _read(name)
            if as_json:
                self.write_json(_facts(name, kind, fates))
            else:
                self.stdout.write("\n".join(_lines(name, kind, fates, why=options["why"])))
        return None

    def _measure(self, options: dict[str, Any]) -> None:
        # The tables are compiled again for each system: only where it is asked for.
        from deliveries.bounces import measured

        for line in measured.lines(
            [Path(name) for name in options["measure"]], part=options["part"], show=options["show"]
        ):
            self.stdout.write(line)

    def _say_reply(self, answer: Answer, *, as_json: bool, why: bool) -> None:
        found = classify(answer)  # a program gets one answer
        if as_json:
            return self.write_json(
                {
                    "class": found.class_,
                    "hard": found.is_hard,
                    "fault": found.fault,
                    "detail": found.detail,
                    "rule": found.rule,
                }
            )
        lines = []
        for stage, each in readings(answer):
            lines += [f"If it answered {WORDS[stage]}:"] if stage else []
            lines += [*_meaning(each), *(_reasons(each) if why else ())]
        return self.stdout.write("\n".join(lines))


def _answer(reply: str, stage: str | None, host: str) -> Answer:
    code, enhanced, text = parse(reply)
    return Answer(text, code, enhanced, Stage(stage) if stage else None, host)


def _read(name: str) -> tuple[ReportKind, list[RecipientStatus]]:
    if name == STANDARD_INPUT:
        return read_mails(_standard_input())
    try:
        with Path(name).open("rb") as file:
            data = file.read(LARGEST)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}") from error
    return read_mails(data)


def _standard_input() -> bytes:
    data = sys.stdin.buffer.read(LARGEST)
    if not data.strip():
        raise CommandError("Standard input is empty: ./ekiden classify - < returned.eml")
    return data


def _facts(name: str, kind: ReportKind, fates: list[RecipientStatus]) -> dict[str, object]:
    whom = "answered" if kind is ReportKind.AUTO_REPLY else "recipients"
    facts: dict[str, object] = {"file": name, "kind": kind, "recipients": []}
    named = [_of(fate) for fate in fates if fate.recipient]
    unnamed = [_of(fate) for fate in fates if not fate.recipient]
    return facts | {whom: named} | ({"nobody_named": unnamed} if unnamed else {})


def _of(fate: RecipientStatus) -> dict[str, object]:
    found = fate.classified
    return {
        "recipient": fate.recipient, "class": found.class_, "hard": found.is_hard,
        "code": fate.code or None,
        "enhanced": fate.enhanced or None, "rule": found.rule,
    }  # fmt: skip


def _lines(
    name: str, kind: ReportKind, fates: list[RecipientStatus], *, why: bool
) -> Iterator[str]:
    yield f"{_printable(name)}: {KINDS[kind]}"
    for fate in fates:
        yield f"  {_printable(fate.recipient) or '(no address)'}"
        if fate.text or fate.code:
            said = " ".join(filter(None, (str(fate.code or ""), fate.enhanced, fate.text)))
            yield f"    said     {_printable(said)[:300]}"
        yield from (f"    {line}" for line in _meaning(fate.classified))
        if why:
            yield from (f"    {line}" for line in _reasons(fate.classified))


def _meaning(found: Classified) -> Iterator[str]:
    meaning = MEANINGS[Class(found.class_)]
    hardness = "hard: the address is dead" if found.is_hard else "soft"
    yield f"class    {found.class_}{f' ({found.detail})' if found.detail else ''}, {hardness}"
    yield f"means    {gettext(meaning.explanation)}"
    yield f"do       {gettext(meaning.advice)}"
    yield f"fault    {found.fault}"
    yield f"rule     {found.rule}"


def _reasons(found: Classified) -> Iterator[str]:
    """List each sign with its weight; at a sum of 2 (`caution.ENOUGH`) an address is dead."""
    weight = (
        "nothing",
        "a code",
        "words said of many things",
        "words or a code of one meaning",
        "the reporter's own reason",
    )
    yield f"rests on {weight[found.weight]}"
    for sign in found.signs:
        yield f"{'for' if sign.weight > 0 else 'against':8} {sign.weight:+d} {sign.says}"
    if found.signs:
        total = sum(sign.weight for sign in found.signs)
        yield (
            f"sum      {total:+d}: {'dead' if total >= ENOUGH else 'not dead'} (dead from "
            f"{ENOUGH:+d})"
        )


def _printable(text: str) -> str:
    """Remove control characters: no escape sequence of a stranger may reach the terminal."""
    return clean(text.strip())


KINDS = {
    ReportKind.BOUNCE: "a bounce",
    ReportKind.DELAY: "a warning; delivery is still being tried",
    ReportKind.DELIVERED: "a confirmation of delivery",
    ReportKind.COMPLAINT: "a complaint",
    ReportKind.AUTO_REPLY: "an automatic reply",
    ReportKind.NONE: "nothing that came back from a mail system",
}
