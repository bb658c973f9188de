"""List, rotate, retire, import and delegate the DKIM keys of sending domains."""

import base64
import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from domains.foundation.command import ActionCommand, AddAction, CommandError, CommandParser
from domains.identity import key_zone_file
from domains.models import Domain, HmacAlgorithm, KeyState, SigningKey
from domains.operations import audit
from domains.senders import delegation, dkim, key_states, key_zone, names
from domains.senders.keys import keep_key, make_key
from domains.senders.pem import BadKey, read_pem

SIZES = (2048, 3072, 4096)


class Command(ActionCommand):
    help = "The DKIM keys of domains; none signs before its record was seen in DNS."

    def add_actions(self, add: AddAction) -> None:
        listing = add("list", self.list_all, "List the keys with their states.")
        listing.add_argument("name", metavar="DOMAIN", nargs="?")
        rotate = add(
            "rotate",
            self.rotate,
            "Make the domain's next key; it takes over once its record was seen in DNS.",
        )
        rotate.add_argument("--ed25519", action="store_true", help="an Ed25519 key, not RSA")
        rotate.add_argument(
            "--bits", type=int, choices=SIZES, default=SIZES[0], help="of an RSA key"
        )
        retire = add(
            "retire", self.retire, "Stop signing with a key, or give up one that never signed."
        )
        importing = add(
            "import", self.import_key, "Take over a key that is there, from a PEM file."
        )
        for parser in (rotate, retire, importing):
            parser.add_argument("name", metavar="DOMAIN")
        for parser in (retire, importing):
            parser.add_argument("selector", metavar="SELECTOR")
        importing.add_argument("file", metavar="FILE", type=Path)
        for parser in (listing, rotate, retire, importing, self._add_delegation(add)):
            parser.add_argument("--project")
        add("zone", self.zone, "Print the zone of delegated keys as a zone file.")
        self._add_update_key(add)

    def _add_delegation(self, add: AddAction) -> CommandParser:
        delegate = add(
            "delegate",
            self.delegate,
            "Let the relay keep a domain's keys in its own zone, and change them by itself.",
        )
        delegate.add_argument("name", metavar="DOMAIN")
        chosen = delegate.add_mutually_exclusive_group()
        chosen.add_argument(
            "--days", type=int, help="days until the next key is made, 180 at first; 0: when asked"
        )
        chosen.add_argument(
            "--end", action="store_true", help="let its next keys stand in its own zone again"
        )
        return delegate

    def _add_update_key(self, add: AddAction) -> None:
        parser = add(
            "update-key", self.set_update_key, "Set the TSIG key that signs updates of that zone."
        )
        parser.add_argument("key_name", metavar="NAME")
        parser.add_argument(
            "file", metavar="FILE", help="holds the secret in base64; - for standard input"
        )
        parser.add_argument(
            "--algorithm", choices=HmacAlgorithm.values, default=HmacAlgorithm.SHA256
        )

    def list_all(self, *, name: str | None, project: str | None, as_json: bool) -> None:
        keys = SigningKey.objects.select_related("domain__project").order_by(
            "domain__name", "-created_at"
        )
        if name:
            keys = keys.filter(domain=names.domain(name, of=project))
        elif project:
            keys = keys.filter(domain__project=names.project(project))
        if as_json:
            return self.write_json([_facts(key) for key in keys])
        rows = [(key.record_name, key.get_algorithm_display(), _state(key)) for key in keys]
        return self.write_table([("RECORD", "ALGORITHM", "STATE"), *rows], empty="There is no key.")

    def rotate(
        self, *, name: str, project: str | None, ed25519: bool, bits: int, as_json: bool
    ) -> None:
        domain = names.domain(name, of=project)
        try:
            key = make_key(domain, "ed25519" if ed25519 else "rsa", bits=bits)
        except delegation.SelectorsBusy as error:
            raise CommandError(str(error)) from error
        audit.note_command("rotate", key)
        self._show(key, as_json=as_json)

    def retire(self, *, name: str, selector: str, project: str | None, as_json: bool) -> None:
        domain = names.domain(name, of=project)
        key = _key(domain, selector)
        key_states.retire(key, now=timezone.now())
        audit.note_command("stop_signing", key)
        if as_json:
            return self.write_json(_facts(key))
        self.stdout.write(f"{key.record_name}: {_state(key)}.")
        if not domain.keys.active().exists():
            self.stdout.write(f"No key signs the mail of {domain.name} now.")
        return None

    def import_key(
        self, *, name: str, selector: str, file: Path, project: str | None, as_json: bool
    ) -> None:
        domain = names.domain(name, of=project)
        try:
            private_key = read_pem(file.read_bytes())
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}") from error
        except BadKey as error:
            raise CommandError(f"{file}: {error}") from None  # chained, it could show the key
        key = keep_key(domain, private_key, selector)
        audit.note_command("import", key)
        if dkim.is_short(private_key):
            self.stderr.write(f"The key has fewer than {dkim.RSA_BITS} bits: rotate it soon.")
        self._show(key, as_json=as_json)

    def delegate(
        self, *, name: str, project: str | None, days: int | None, end: bool, as_json: bool
    ) -> None:
        domain = names.domain(name, of=project)
        if days is not None:
            self._choose_days(domain, days)
        try:
            if end:
                delegation.end(domain)
            else:
                delegation.delegate(domain)
        except delegation.CannotDelegate as error:
            raise CommandError(str(error)) from error
        audit.note_command("keep_keys" if end else "delegate_keys", domain)
        if as_json:
            return self.write_json(delegation.facts(domain))
        if end:
            self.stdout.write(f"The next keys of {domain.name} stand in its own zone.")
            return None
        self.stdout.write(
            "Publish both records. Once they are found, the relay makes the domain's next key, "
            f"and another {delegation.pace(domain)}:"
        )
        for record in delegation.to_publish(domain):
            self.stdout.write(f"  {record.name}  CNAME\n  {record.value}")
        return None

    def _choose_days(self, domain: Domain, days: int) -> None:
        before, domain.rotation_days = domain.rotation_days, days
        try:
            domain.full_clean()
        except ValidationError as error:
            raise CommandError("--days is between 0 and 3650.") from error
        domain.save(update_fields=["rotation_days"])
        changed = {"changed": {"rotation_days": [before, days]}}
        audit.note_command("choose_rotation", domain, details=changed)

    def zone(self, *, as_json: bool) -> None:
        try:
            text = key_zone_file.text(now=timezone.now())
        except delegation.CannotDelegate as error:
            raise CommandError(str(error)) from error
        if as_json:
            return self.write_json(key_zone_file.facts())
        self.stdout.write(text, ending="")
        return None

    def set_update_key(self, *, key_name: str, file: str, algorithm: str, as_json: bool) -> None:
        try:
            text = sys.stdin.read() if file == "-" else Path(file).read_text("ascii")
            secret = base64.b64decode("".join(text.split()), validate=True)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}") from error
        except ValueError:  # chained, it could show the secret
            raise CommandError(f"{file} holds no base64.") from None
        if not secret:
            raise CommandError(f"{file} is empty. It has to hold the secret, in base64.")
        row = key_zone.set_update_key(key_name, algorithm, secret)
        audit.note_command("set_update_key", row, details={"algorithm": algorithm})
        if as_json:
            return self.write_json({"name": row.name, "algorithm": row.algorithm})
        self.stdout.write(f"Updates are signed with {row.name} ({row.algorithm}) from now on.")
        return None

    def _show(self, key: SigningKey, *, as_json: bool) -> None:
        if as_json:
            return self.write_json(_facts(key))
        if target := delegation.target(key):
            self.stdout.write(
                f"The key stands at {target}, in the zone that this relay keeps. It signs once "
                f"every name server has had it for an hour, and the CNAME at {key.record_name}."
            )
            return None
        self.stdout.write(
            "Publish this record. The key signs once every name server has had it for an hour, or "
            "for the zone's negative TTL where that is longer:\n"
            f"  {key.record_name}  TXT\n  {key.public_record}"
        )
        return None


def _key(domain: Domain, selector: str) -> SigningKey:
    found = domain.keys.select_related("domain__project").filter(selector=selector).first()
    if found is None:
        raise CommandError(f"No such key. See: ./ekiden key list {domain.name}")
    return found


def _state(key: SigningKey) -> str:
    if key.retires_at is not None and key.state == KeyState.RETIRING:
        return f"retiring; leave its record in DNS until {key.retires_at:%Y-%m-%d %H:%M} UTC"
    if key.state == KeyState.PUBLISHED:
        return f"published; found by {key.sightings} checks"
    if key.is_active and key.seen_at is None:
        return "signing, not seen yet"
    return str(key.state)


def _facts(key: SigningKey) -> dict[str, Any]:
    times = ("found_since", "seen_at", "signs_since", "retires_at", "created_at")
    return {
        "domain": key.domain.name,
        "project": key.domain.project.name,
        "selector": key.selector,
        "algorithm": key.algorithm,
        "state": key.state,
        "signs_unseen": key.signs_unseen,
        "sightings": key.sightings,
        **{name: (at := getattr(key, name)) and at.isoformat() for name in times},
        "record": key.record_name,
        "value": key.public_record,
        "delegated_to": delegation.target(key),
    }
