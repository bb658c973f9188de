"""Stop delivery of something: its mail is accepted and waits."""

from typing import Any

from django.db import transaction

from deliveries.models import Lane, Stop
from deliveries.steering import pauses
from deliveries.steering.selection import count
from deliveries.steering.targets import Target, TargetCommand
from domains.foundation.command import AddAction, CommandError
from domains.models import Credential, Project
from domains.operations import audit


class Command(TargetCommand):
    help = (
        "Stop delivery of something: its mail is accepted and waits until it is resumed. `pause "
        "all` is the emergency stop."
    )
    verb = "pause"

    def add_actions(self, add: AddAction) -> None:
        super().add_actions(add)
        add("list", self.list_all, "List what is paused.")

    @transaction.atomic
    def act(self, target: Target, *, reason: str, as_json: bool, **options: Any) -> None:
        try:
            row = self._stop(target, reason, audit.command_line())
        except pauses.AlreadyStopped as error:
            raise CommandError(
                f"{target.words.capitalize()} is paused already. See: ./ekiden pause list"
            ) from error
        audit.note_command("pause", row, reason=reason)
        waiting = count(target.selection)
        if as_json:
            return self.write_json({"paused": target.typed, "reason": reason, "waiting": waiting})
        self.stdout.write(
            f"Paused {target.words}: its mail is accepted, and waits ({waiting:,} now); what is "
            "being sent is sent."
        )
        self.stdout.write("What still waits at its deadline expires.")
        return self.stdout.write(f'To go on: ./ekiden resume {target.typed} --reason "…"')

    def _stop(self, target: Target, reason: str, by: str) -> Project | Credential | Lane | Stop:
        """Stop the target, and return the row that was stopped."""
        match target.row:
            case Lane():
                if target.row.pk in (Lane.ROUTING, Lane.PARKED):
                    raise CommandError(
                        f"The lane {target.row.pk} is the service's own, and cannot be paused. "
                        "All delivery: ./ekiden pause all"
                    )
                pauses.close(target.row, reason=reason, by=by)
                return target.row
            case Project():
                pauses.stop(Stop.Scope.PROJECT, project=target.row, reason=reason, by=by)
                return target.row
            case Credential():
                pauses.stop(Stop.Scope.CREDENTIAL, credential=target.row, reason=reason, by=by)
                return target.row
        scope = Stop.Scope.DOMAIN if target.domain else Stop.Scope.ALL
        return pauses.stop(scope, domain=target.domain, reason=reason, by=by)

    def list_all(self, *, as_json: bool) -> None:
        paused = pauses.everything()
        if as_json:
            return self.write_json([_facts(each) for each in paused])
        rows = [
            (
                each.name,
                each.kind,
                f"{each.at:%Y-%m-%d %H:%M}",
                each.by or "an answer of the receiver",
                each.reason,
            )
            for each in paused
        ]
        return self.write_table(
            [("WHAT", "KIND", "SINCE (UTC)", "BY", "WHY"), *rows], empty="Nothing is paused."
        )


def _facts(each: pauses.Paused) -> dict[str, Any]:
    kind = each.row.scope if isinstance(each.row, Stop) else "lane"
    return {
        "what": each.name,
        "kind": kind,
        "since": each.at.isoformat(),
        "by": each.by,
        "reason": each.reason,
    }
