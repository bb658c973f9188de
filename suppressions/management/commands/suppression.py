"""Add, list and lift suppressions."""

from datetime import date, datetime
from itertools import islice
from typing import Any

from django.utils import timezone

from domains import audit, names
from domains.command import ActionCommand, AddAction, CommandError
from suppressions import lifting
from suppressions.keys import key_of
from suppressions.models import Suppression

SHOWN = 50


class Command(ActionCommand):
    help = "A suppressed address gets no mail: of one project, or of the whole installation."

    def add_actions(self, add: AddAction) -> None:
        adding = add("add", self.add, "Suppress an address, or with @domain all of a domain.")
        adding.add_argument("--reason", default="An operator suppressed it")
        adding.add_argument("--until", type=day, metavar="DAY", help="ends by itself at the beginning of that day (2027-01-31)")
        listing = add("list", self.list_all, f"List the suppressions, newest first ({SHOWN} of them; with --json all).")
        listing.add_argument("--find", metavar="TEXT", default="", help="only this address, @domain, or what begins so (1,000 at most)")
        listing.add_argument("--json", action="store_true", dest="as_json")
        lifted = add("lift", self.lift, "Let an address get mail again.")
        lifted.add_argument("--reason", required=True, help="goes into the audit log")
        lifted.add_argument("--yes", action="store_true", dest="is_sure", help="also where the address may have a new owner by now")
        for parser in (adding, lifted):
            parser.add_argument("address", metavar="ADDRESS")
        for parser in (adding, listing, lifted):
            parser.add_argument("--project", help="only of this project, not of the whole installation")

    def add(self, *, address: str, reason: str, project: str | None, until: datetime | None) -> None:
        owner = names.project(project) if project else None
        suppression = Suppression(
            address_key=key_of(address), project=owner, reason=audit.one_line(reason), until=until, created_by=audit.command_line()
        )
        suppression.full_clean()
        suppression.save(force_insert=True)
        audit.note_command("add", suppression, reason=reason)
        self.stdout.write(f"{suppression} gets no mail {_scope(suppression)} from now on.")

    def list_all(self, *, project: str | None, find: str, as_json: bool) -> None:
        everything = Suppression.objects.select_related("project").order_by("-id")
        everything = everything.matching(find) if find else everything
        chosen = everything.filter(project=names.project(project)) if project else everything
        if as_json:
            return self.write_json([_facts(each) for each in chosen.iterator()])
        header = ("ADDRESS", "PROJECT", "CLASS", "SOURCE", "SEEN", "LAST", "REASON")
        rows = [
            (each.address_key, each.project.name if each.project else "all", each.category or "-", each.source, str(each.count),
             f"{each.last_seen_at:%Y-%m-%d}", each.reason[:80])
            for each in islice(chosen.iterator(), SHOWN)
        ]  # fmt: skip
        return self.write_table([header, *rows], empty="No address is suppressed.")

    def lift(self, *, address: str, project: str | None, reason: str, is_sure: bool) -> None:
        owner = names.project(project) if project else None
        found = list(Suppression.objects.filter(address_key=key_of(address), project=owner))
        if not found:
            where = f"by the project {project}" if project else "for the whole installation"
            raise CommandError(f"{address} is not suppressed {where}. See: ./ekiden suppression list --find {address}")
        if not is_sure and any(lifting.needs_confirmation(row, now=timezone.now()) for row in found):
            raise CommandError(f"{address} has been dead for long and may have a new owner by now. If you have asked, say so: --yes")
        lifting.lift([row.pk for row in found], reason=audit.one_line(reason), actor=audit.command_line())
        self.stdout.write(f"{address} may get mail again.")


def day(text: str) -> datetime:
    moment = timezone.make_aware(datetime.combine(date.fromisoformat(text), datetime.min.time()))
    if moment <= timezone.now():
        raise ValueError("that day is over")
    return moment


def _scope(suppression: Suppression) -> str:
    return f"of the project {suppression.project}" if suppression.project else "of any project"


def _facts(suppression: Suppression) -> dict[str, Any]:
    names_ = ("source", "category", "is_hard", "reason", "evidence", "count", "sender_domain", "created_by")
    times = ("created_at", "first_seen_at", "last_seen_at", "until", "probation_at")
    return {
        "address": suppression.address_key,
        "project": suppression.project.name if suppression.project else None,
        **{name: getattr(suppression, name) for name in names_},
        **{name: audit.plain(getattr(suppression, name)) for name in times},
    }
