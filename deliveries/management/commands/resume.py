"""Let something that was paused go on."""

from typing import Any

from django.db import transaction

from deliveries.models import Lane
from deliveries.steering import pauses
from deliveries.steering.selection import count
from deliveries.steering.targets import Target, TargetCommand
from domains.foundation.command import CommandError
from domains.operations import audit


class Command(TargetCommand):
    help = (
        "Let something that was paused go on, but for what another pause covers or a person holds."
    )
    verb = "resume"

    @transaction.atomic
    def act(self, target: Target, *, reason: str, as_json: bool, **options: Any) -> None:
        if isinstance(target.row, Lane):
            self._reopen(target, target.row, reason)
        else:
            self._resume(target, reason)
        waiting = count(target.selection)
        if as_json:
            return self.write_json({"resumed": target.typed, "reason": reason, "waiting": waiting})
        return self.stdout.write(
            f"Resumed {target.words}: its mail goes on ({waiting:,} wait now)."
        )

    def _reopen(self, target: Target, lane: Lane, reason: str) -> None:
        if lane.closed_at is None:
            raise _not_paused(target)
        audit.note_command("resume", lane, reason=reason)
        pauses.reopen(lane)

    def _resume(self, target: Target, reason: str) -> None:
        pause = target.pause()
        if pause is None:
            raise _not_paused(target)
        audit.note_command("resume", pauses.target(pause), reason=reason)
        pauses.resume(pause)


def _not_paused(target: Target) -> CommandError:
    return CommandError(f"{target.words.capitalize()} is not paused. See: ./ekiden pause list")
