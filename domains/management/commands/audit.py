"""Show who did what."""

from typing import Any

from django.db.models import Q

from domains.foundation.command import CommandParser, EkidenCommand
from domains.models import AuditEntry

SHOWN = 50


class Command(EkidenCommand):
    help = f"Show who did what, newest first ({SHOWN}; with --json 10,000)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--who", metavar="NAME", help="only what this person or account did (part of the name)"
        )
        parser.add_argument("--what", metavar="ACTION", help="only this, such as pause or change")
        parser.add_argument(
            "--about", metavar="TEXT", help="only about things whose name or reason holds this"
        )
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(
        self,
        *args: Any,
        who: str | None,
        what: str | None,
        about: str | None,
        as_json: bool,
        **options: Any,
    ) -> None:
        chosen = Q(actor__icontains=who or "") & (
            Q(object_name__icontains=about or "") | Q(reason__icontains=about or "")
        )
        entries = (
            AuditEntry.objects.filter(chosen, **({"action": what} if what else {}))
            .select_related("project")
            .order_by("-id")
        )
        if as_json:
            return self.write_json([_facts(entry) for entry in entries[:10_000]])
        rows = [
            (f"{each.at:%Y-%m-%d %H:%M:%S}", each.actor, each.action, each.object_name, each.reason)
            for each in entries[:SHOWN]
        ]
        return self.write_table(
            [("AT (UTC)", "WHO", "WHAT", "THING", "WHY"), *rows],
            empty="Nothing of the kind was done.",
        )


def _facts(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": entry.at.isoformat(),
        "who": entry.actor,
        "from": entry.client_address,
        "what": entry.action,
        "kind": entry.object_type,
        "id": entry.object_id,
        "thing": entry.object_name,
        "project": entry.project.name if entry.project else None,
        "reason": entry.reason,
        "details": entry.details,
    }
