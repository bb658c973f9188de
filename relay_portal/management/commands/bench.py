"""Measure the whole service."""

import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import flood, report
from bench.picture import draw
from bench.run import flood as flooded
from bench.run import run
from bench.stage import BenchError, Options
from domains.foundation.command import CommandError, CommandParser, EkidenCommand

MEANINGS = {
    "messages": "how many",
    "size": "bytes of each, headers included",
    "sessions": "kept open, with TLS and AUTH",
    "domains": "recipient domains, each a lane of its own",
    "rate": "messages a second; 0: as fast as they are taken",
    "seconds": "submit for so long, instead of a number of messages",
    "backlog": "messages that have ended and are in the database already",
    "waiting": "deliveries that wait in one lane, which takes 20 a second of them",
    "sources": "our addresses that mail leaves from, as rows (with --mx)",
    "listeners": "listener processes",
    "workers": "delivery workers",
    "cores": "the service's, generator and sink keep to the others; 0: all share all",
}


class Command(EkidenCommand):
    help = (
        "Bring up a service of its own, submit messages to it, take them at a sink, and print "
        "the figures. Yours is not touched."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        for name, meaning in MEANINGS.items():
            usual = getattr(Options(), name)
            parser.add_argument(
                f"--{name}",
                type=type(usual),
                default=usual,
                metavar="N",
                help=f"{meaning} ({usual:g})",
            )
        parser.add_argument(
            "--burst", action="store_true", help="deliver only when all has been accepted"
        )
        parser.add_argument(
            "--idle", action="store_true", help="then measure a first message after idleness"
        )
        parser.add_argument(
            "--mx",
            action="store_true",
            help="find the sink by DNS, as mail for the internet does, not by static routes",
        )
        parser.add_argument("--unsigned", action="store_true", help="without DKIM")
        parser.add_argument(
            "--flood",
            action="store_true",
            help="measure urgent mail beside a flood of bulk mail, and nothing else",
        )
        parser.add_argument(
            "--peer",
            choices=("postfix",),
            default="",
            help="measure Postfix with OpenDKIM in the same run (Debian's, as root)",
        )
        parser.add_argument(
            "--picture", type=Path, metavar="FILE", help="draw the course of the run as an SVG"
        )
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="print all figures as JSON"
        )

    def handle(self, *args: Any, picture: Path | None, as_json: bool, **options: Any) -> None:
        given = {name: options[name] for name in MEANINGS}
        if (
            min(given["messages"], given["sessions"], given["domains"]) < 1
            or given["domains"] > 200
        ):
            raise CommandError(
                "At least one message, session and domain is needed, and at most 200 domains."
            )
        if given["sources"] and not options["mx"]:
            raise CommandError("Static routes go before sources: --sources needs --mx.")
        asked = Options(
            **given,
            is_signed=not options["unsigned"],
            is_burst=options["burst"],
            is_idle=options["idle"],
            is_by_mx=options["mx"],
            peer=options["peer"],
        )
        # As Ctrl-C: what was brought up is brought down.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            if options["flood"]:
                self._flood(asked, as_json=as_json)
                return
            found = run(asked, self.stderr.write)
        except BenchError as error:
            raise CommandError(str(error)) from error
        if picture is not None:
            picture.write_text(
                draw(found, f"{found.messages:,} messages of {given['size']:,} bytes"),
                encoding="utf-8",
            )
        if as_json:
            self.write_json(asdict(found) | {"options": asdict(asked)})
        else:
            self.stdout.write("\n".join(report.lines(found)))
        if found.lost or found.refused:
            raise SystemExit(1)

    def _flood(self, asked: Options, *, as_json: bool) -> None:
        found = flooded(asked, self.stderr.write)
        if as_json:
            self.write_json(asdict(found) | {"options": asdict(asked)})
        else:
            self.stdout.write("\n".join(flood.lines(found)))
        if found.urgent_lost or found.bulk_lost:
            raise SystemExit(1)
