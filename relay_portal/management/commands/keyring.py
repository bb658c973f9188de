"""Give the key ring a new key, and put all that it encrypts under that key."""

from __future__ import annotations

import socket
from typing import Any

from redis.exceptions import RedisError
from rq import Worker

from deliveries.backends import job_queues
from domains.foundation.command import ActionCommand, AddAction, CommandError
from domains.foundation.secrets.keyring import KeyRing
from domains.models import KeyFingerprint
from domains.operations import audit, own_keys
from relay_portal.access import ring_contents
from relay_portal.access.ring_contents import RingUse

SHOWN = 12  # digits of a fingerprint


class Command(ActionCommand):
    help = (
        "The keys that encrypt DKIM keys and second factors in the database (the file keys/ring)."
    )

    def add_actions(self, add: AddAction) -> None:
        add("show", self.show, "Show the keys of the ring, and what stands under them.")
        rotate = add(
            "rotate", self.rotate, "Put a new key first, and encrypt everything anew with it."
        )
        rotate.add_argument(
            "--later",
            action="store_true",
            help="only put the new key first; copy the ring to the other machines, then `renew`",
        )
        add("renew", self.renew, "Encrypt what stands under older keys with the newest.")
        add("forget-old", self.forget_old, "Remove the older keys, once nothing stands under them.")

    def show(self, *, as_json: bool) -> None:
        ring = _ring()
        return self._write(ring, ring_contents.use(ring), as_json=as_json)

    def rotate(self, *, later: bool, as_json: bool) -> None:
        ring = _ring()
        if not later and (others := _other_machines()):
            raise CommandError(
                f"Workers run on other machines too ({', '.join(others)}), which could not read "
                "what this one encrypts anew. First `./ekiden keyring rotate --later`, copy "
                f"{ring.path} to them, then `./ekiden keyring renew`"
            )
        ring.rotate()
        own_keys.note_ring(ring)
        audit.note_command("rotate", _row())
        if later:
            self._write(ring, ring_contents.use(ring), as_json=as_json)
            return self._say(
                f"Copy {ring.path} to the other machines, then: ./ekiden keyring renew", as_json
            )
        return self.renew(as_json=as_json)

    def renew(self, *, as_json: bool) -> None:
        ring = _ring()
        changed = ring_contents.renew(ring)
        audit.note_command(
            "encrypt_anew", _row(), details={name: each._asdict() for name, each in changed.items()}
        )
        self._write(ring, ring_contents.use(ring), as_json=as_json)
        return self._say(
            f"Make a new backup of {ring.path.parent} now. After it: ./ekiden keyring forget-old",
            as_json,
        )

    def forget_old(self, *, as_json: bool) -> None:
        ring = _ring()
        if older := [name for name, each in ring_contents.use(ring).items() if each.older]:
            raise CommandError(
                f"There are {' and '.join(older)} under older keys: ./ekiden keyring renew"
            )
        ring.forget_old()
        own_keys.note_ring(ring)
        audit.note_command("forget_old_keys", _row())
        return self._write(ring, ring_contents.use(ring), as_json=as_json)

    def _write(self, ring: KeyRing, used: dict[str, RingUse], *, as_json: bool) -> None:
        keys = ring.fingerprints()
        if as_json:
            facts = {name: each._asdict() for name, each in used.items()}
            return self.write_json({"file": str(ring.path), "keys": keys, "contents": facts})
        marks = ["newest", *["older"] * (len(keys) - 1)]
        self.write_table(
            [
                ("KEY", ""),
                *((each[:SHOWN], mark) for each, mark in zip(keys, marks, strict=True)),
            ],
            empty="",
        )
        self.stdout.write("")
        rows = [(name, *map(str, each)) for name, each in used.items()]
        return self.write_table(
            [("WHAT", "NEWEST KEY", "OLDER KEY", "NO KEY OF THE RING"), *rows], empty=""
        )

    def _say(self, text: str, as_json: bool) -> None:
        if not as_json:
            self.stdout.write(f"\n{text}")


def _ring() -> KeyRing:
    found = own_keys.check_ring()
    if found is None:
        raise CommandError(f"There is no key ring in {own_keys.ring_place()} yet: ./ekiden setup")
    return found


def _row() -> Any:
    return KeyFingerprint.objects.get(kind=own_keys.RING)


def _other_machines() -> list[str]:
    """Return the names of other machines whose workers run on the same Valkey; none where it is
    away.
    """
    try:
        with job_queues.connect() as valkey:
            names = {worker.hostname for worker in Worker.all(connection=valkey)}
    except (RedisError, OSError):
        return []
    return sorted(name for name in names if name and name != socket.gethostname())
