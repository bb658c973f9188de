"""Add, list and remove suppressions."""

from itertools import islice

from domains import audit, names
from domains.addresses import parse_path
from domains.command import ActionCommand, AddAction, CommandError
from suppressions.models import Suppression

SHOWN = 50


class Command(ActionCommand):
    help = "A suppressed address gets no mail: of one project, or of the whole installation."

    def add_actions(self, add: AddAction) -> None:
        adding = add("add", self.add, "Suppress an address.")
        adding.add_argument("--reason", default="An operator suppressed it")
        listing = add("list", self.list_all, f"List the suppressions, newest first ({SHOWN} of them; with --json all).")
        listing.add_argument("--json", action="store_true", dest="as_json")
        removing = add("remove", self.remove, "Let an address get mail again.")
        for parser in (adding, removing):
            parser.add_argument("address", metavar="ADDRESS")
        for parser in (adding, listing, removing):
            parser.add_argument("--project", help="only of this project, not of the whole installation")

    def add(self, *, address: str, reason: str, project: str | None) -> None:
        owner = names.project(project) if project else None
        suppression = Suppression(address_key=key_of(address), project=owner, reason=reason)
        suppression.full_clean()
        suppression.save(force_insert=True)
        audit.note_command("add", suppression, reason=reason)
        self.stdout.write(f"{suppression} gets no mail {_scope(suppression)} from now on.")

    def list_all(self, *, project: str | None, as_json: bool) -> None:
        everything = Suppression.objects.select_related("project").order_by("-id")
        chosen = everything.filter(project=names.project(project)) if project else everything
        if as_json:
            return self.write_json([_facts(each) for each in chosen.iterator()])
        header = ("ADDRESS", "PROJECT", "SINCE", "REASON")
        rows = [
            (each.address_key, each.project.name if each.project else "all", f"{each.created_at:%Y-%m-%d}", each.reason)
            for each in islice(chosen.iterator(), SHOWN)
        ]
        return self.write_table([header, *rows], empty="No address is suppressed.")

    def remove(self, *, address: str, project: str | None) -> None:
        owner = names.project(project) if project else None
        suppression = Suppression.objects.filter(address_key=key_of(address), project=owner).first()
        if suppression is None:
            where = f"by the project {project}" if project else "for the whole installation"
            raise CommandError(f"{address} is not suppressed {where}. See: ./ekiden suppression list")
        audit.note_command("delete", suppression, details={"values": audit.facts(suppression)})
        suppression.delete()
        self.stdout.write(f"{address} may get mail again.")


def key_of(address: str) -> str:
    return parse_path(address.strip().removeprefix("<").removesuffix(">"), smtputf8=True).key


def _scope(suppression: Suppression) -> str:
    return f"of the project {suppression.project}" if suppression.project else "of any project"


def _facts(suppression: Suppression) -> dict[str, str | None]:
    return {
        "address": suppression.address_key,
        "project": suppression.project.name if suppression.project else None,
        "source": suppression.source,
        "reason": suppression.reason,
        "created_at": suppression.created_at.isoformat(),
    }
