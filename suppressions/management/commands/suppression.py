"""Add, list and lift suppressions."""

from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.utils import timezone

from domains.foundation.command import ActionCommand, AddAction, CommandError
from domains.foundation.upkeep.job_leases import LeaseLost
from domains.models import Project
from domains.operations import audit
from domains.operations.isolation import is_outage
from domains.senders import names
from suppressions import brakes, lifting
from suppressions.exchange import exporting, importing, staging
from suppressions.keys import key_of
from suppressions.models import Brake, Suppression

SHOWN = 50


class Command(ActionCommand):
    help = "A suppressed address gets no mail: of one project, or of the whole installation."

    def add_actions(self, add: AddAction) -> None:
        adding = add("add", self.add, "Suppress an address, or with @domain all of a domain.")
        adding.add_argument("--reason", default="An operator suppressed it")
        adding.add_argument(
            "--until",
            type=day,
            metavar="DAY",
            help="ends by itself at the beginning of that day (2027-01-31)",
        )
        listing = add(
            "list",
            self.list_all,
            f"List the suppressions, newest first ({SHOWN} of them; with --json all).",
        )
        lifted = add("lift", self.lift, "Let an address get mail again.")
        lifted.add_argument("--reason", required=True, help="goes into the audit log")
        lifted.add_argument(
            "--yes",
            action="store_true",
            dest="is_sure",
            help="also where the address may have a new owner by now",
        )
        self._add_decisions(add)
        importing_ = add(
            "import",
            self.import_file,
            "Take in a CSV file: ours, or one of SES, SendGrid, Postmark, Mailgun or Postal.",
        )
        importing_.add_argument("file", metavar="FILE", type=Path)
        importing_.add_argument(
            "--preview", action="store_true", help="only say what would be done"
        )
        exporting_ = add("export", self.export, "Write the suppressions as CSV to standard output.")
        for parser in (listing, exporting_):
            parser.add_argument(
                "--find",
                metavar="TEXT",
                default="",
                help="only this address, @domain, or what begins so (1,000 at most)",
            )
        for parser in (adding, lifted):
            parser.add_argument("address", metavar="ADDRESS")
        for parser in (adding, listing, lifted, importing_, exporting_):
            parser.add_argument(
                "--project", help="only of this project, not of the whole installation"
            )

    def _add_decisions(self, add: AddAction) -> None:
        for name, act, text in (
            ("believe", self.believe, "Let what is held of a class count, and learning go on."),
            ("forget", self.forget, "Forget what is held of a class, and let learning go on."),
        ):
            deciding = add(name, act, text)
            deciding.add_argument("category", metavar="CLASS")
            deciding.add_argument("--reason", required=True, help="goes into the audit log")

    def add(
        self, *, address: str, reason: str, project: str | None, until: datetime | None
    ) -> None:
        owner = names.project(project) if project else None
        suppression = Suppression(
            address_key=key_of(address),
            project=owner,
            reason=audit.one_line(reason),
            until=until,
            created_by=audit.command_line(),
        )
        suppression.full_clean()
        suppression.save(force_insert=True)
        audit.note_command("add", suppression, reason=reason)
        self.stdout.write(f"{suppression} gets no mail {_scope(suppression)} from now on.")

    def list_all(self, *, project: str | None, find: str, as_json: bool) -> None:
        chosen = Suppression.objects.select_related("project").order_by("-id")
        chosen = chosen.filter(project=names.project(project)) if project else chosen
        chosen = chosen.matching(find) if find else chosen
        if as_json:
            return self.write_json([_facts(each) for each in chosen.iterator()])
        header = ("ADDRESS", "PROJECT", "CLASS", "SOURCE", "SEEN", "LAST", "REASON")
        rows = [
            (each.address_key, each.project.name if each.project else "all", each.category or "-",
                each.source, str(each.count),
             f"{each.last_seen_at:%Y-%m-%d}", each.reason[:80])
            for each in islice(chosen.iterator(), SHOWN)
        ]  # fmt: skip
        return self.write_table([header, *rows], empty="No address is suppressed.")

    def lift(self, *, address: str, project: str | None, reason: str, is_sure: bool) -> None:
        owner = names.project(project) if project else None
        found = list(Suppression.objects.filter(address_key=key_of(address), project=owner))
        if not found:
            where = f"by the project {project}" if project else "for the whole installation"
            raise CommandError(
                f"{address} is not suppressed {where}. See: ./ekiden suppression list --find "
                f"{address}"
            )
        if not is_sure and any(
            lifting.needs_confirmation(row, now=timezone.now()) for row in found
        ):
            raise CommandError(
                f"{address} has been dead for long and may have a new owner by now. If you have "
                "asked, say so: --yes"
            )
        lifting.lift(
            [row.pk for row in found], reason=audit.one_line(reason), actor=audit.command_line()
        )
        self.stdout.write(f"{address} may get mail again.")

    def believe(self, *, category: str, reason: str) -> None:
        self._release(category, reason, is_believed=True)

    def forget(self, *, category: str, reason: str) -> None:
        self._release(category, reason, is_believed=False)

    def _release(self, category: str, reason: str, *, is_believed: bool) -> None:
        in_force = Brake.objects.filter(ended_at__isnull=True)
        brake = in_force.filter(category=category).first()
        if brake is None:
            there = ", ".join(in_force.values_list("category", flat=True)) or "none"
            raise CommandError(f"Learning of {category} has not been stopped. Stopped: {there}.")
        by, reason = audit.command_line(), audit.one_line(reason)
        amount = brakes.release(
            brake, is_believed=is_believed, by=by, reason=reason, now=timezone.now()
        )
        self.stdout.write(
            f"{amount} occurrences of {category} "
            f"{'count now' if is_believed else 'are forgotten'}; learning goes on."
        )

    def import_file(self, *, file: Path, project: str | None, preview: bool) -> None:
        owner = names.project(project) if project else None
        try:
            with file.open("rb") as opened:
                if preview:
                    return self._preview(
                        importing.preview(
                            opened, project=owner.pk if owner else None, now=timezone.now()
                        )
                    )
                return self._import(file, opened, owner)
        except LeaseLost as error:
            raise CommandError(
                "This command was stopped for so long that its import was given up; give it again"
            ) from error
        except (OSError, ValueError) as error:
            raise CommandError(
                f"{file}: {error.strerror if isinstance(error, OSError) else error}"
            ) from error
        except Exception as error:
            if is_outage(error):
                raise
            text = (
                "what was taken in is known; give the file again once this is mended, and the "
                "rest is taken in"
            )
            raise CommandError(
                f"{file}: {importing.FAULT}: {audit.one_line(str(error))} ({text})"
            ) from error

    def _preview(self, found: importing.ImportPreview) -> None:
        progress = found.progress
        self.stdout.write(f"This is: {found.format}. " + ("" if found.is_whole else ("Of the "
            f"first {progress.lines:,} lines: ")) +
                          (f"{progress.added:,} new, {progress.updated:,} known, "
                              f"{progress.refused:,} refused."))  # fmt: skip
        header = ("LINE", "ADDRESS", "CLASS", "SOURCE", "SINCE", "REASON")
        rows = [
            (
                str(each.line),
                each.key,
                each.category or "-",
                each.source,
                f"{each.first_seen_at:%Y-%m-%d}",
                each.reason[:60],
            )
            for each in found.examples
        ]
        self.write_table([header, *rows], empty="No line can be taken.")
        self._write_errors(progress)

    def _import(self, file: Path, opened: IO[bytes], owner: Project | None) -> None:
        row, lease = importing.begin(name=file.name, project=owner, by=audit.command_line())
        try:
            done = importing.take_for(
                row,
                opened,
                lease=lease,
                say=lambda progress: self.stdout.write(f"{progress.lines:,} lines …"),
            )
        finally:
            audit.note_command("import", row, details=audit.facts(row))
        self.stdout.write(
            f"{done.lines:,} lines: {done.added:,} new, {done.updated:,} known, {done.refused:,} "
            "refused."
        )
        self._write_errors(done)

    def _write_errors(self, progress: staging.ImportProgress) -> None:
        for bad in progress.errors[:SHOWN]:
            self.stderr.write(f"line {bad.line}: {bad.why}: {bad.text!r}")

    def export(self, *, project: str | None, find: str) -> None:
        chosen = Suppression.objects.all()
        chosen = chosen.filter(project=names.project(project)) if project else chosen
        chosen = chosen.matching(find) if find else chosen
        for line in exporting.rows(chosen):
            self.stdout.write(line, ending="")


def day(text: str) -> datetime:
    moment = timezone.make_aware(datetime.combine(date.fromisoformat(text), datetime.min.time()))
    if moment <= timezone.now():
        raise ValueError("that day is over")
    return moment


def _scope(suppression: Suppression) -> str:
    return f"of the project {suppression.project}" if suppression.project else "of any project"


def _facts(suppression: Suppression) -> dict[str, Any]:
    names_ = (
        "source",
        "category",
        "is_hard",
        "reason",
        "evidence",
        "count",
        "sender_domain",
        "created_by",
    )
    times = ("created_at", "first_seen_at", "last_seen_at", "until", "probation_at")
    return {
        "address": suppression.address_key,
        "project": suppression.project.name if suppression.project else None,
        **{name: getattr(suppression, name) for name in names_},
        **{name: audit.plain(getattr(suppression, name)) for name in times},
    }
