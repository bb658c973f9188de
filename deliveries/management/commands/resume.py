"""Let something that was paused go on."""

from typing import Any

from django.db import transaction

from deliveries.models import Lane
from deliveries.steering import pauses
from deliveries.steering.selection import count
from deliveries.steering.targets import Thing, ThingCommand
from domains.foundation.command import CommandError
from domains.operations import audit


class Command(ThingCommand):
    help = (
        "Let something that was paused go on, but for what another pause covers or a person holds."
    )
    verb = "resume"

    @transaction.atomic
    def act(self, thing: Thing, *, reason: str, as_json: bool, **options: Any) -> None:
        if isinstance(thing.row, Lane):
            self._reopen(thing, thing.row, reason)
        else:
            self._resume(thing, reason)
        waiting = count(thing.selection)
        if as_json:
            return self.write_json({"resumed": thing.typed, "reason": reason, "waiting": waiting})
        return self.stdout.write(f"Resumed {thing.words}: its mail goes on ({waiting:,} wait now).")

    def _reopen(self, thing: Thing, lane: Lane, reason: str) -> None:
        if lane.closed_at is None:
            raise _not_paused(thing)
        audit.note_command("resume", lane, reason=reason)
        pauses.reopen(lane)

    def _resume(self, thing: Thing, reason: str) -> None:
        standing = thing.standing()
        if standing is None:
            raise _not_paused(thing)
        audit.note_command("resume", pauses.thing(standing), reason=reason)
        pauses.resume(standing)


def _not_paused(thing: Thing) -> CommandError:
    return CommandError(f"{thing.words.capitalize()} is not paused. See: ./ekiden pause list")
