"""List, rotate, retire and import the DKIM keys of sending domains."""

from pathlib import Path
from typing import Any

from django.utils import timezone

from domains.foundation.command import ActionCommand, AddAction, CommandError
from domains.models import Domain, SigningKey
from domains.operations import audit
from domains.senders import dkim, names
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
        for parser in (listing, rotate, retire, importing):
            parser.add_argument("--project")
            parser.add_argument("--json", action="store_true", dest="as_json")

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
        key = make_key(domain, "ed25519" if ed25519 else "rsa", bits=bits)
        audit.note_command("rotate", key)
        self._show(key, as_json=as_json)

    def retire(self, *, name: str, selector: str, project: str | None, as_json: bool) -> None:
        domain = names.domain(name, of=project)
        key = _key(domain, selector)
        key.retire(now=timezone.now())
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

    def _show(self, key: SigningKey, *, as_json: bool) -> None:
        if as_json:
            return self.write_json(_facts(key))
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
    if key.retires_at is not None and key.state == SigningKey.State.RETIRING:
        return f"retiring; leave its record in DNS until {key.retires_at:%Y-%m-%d %H:%M} UTC"
    if key.state == SigningKey.State.PUBLISHED:
        return f"published; found by {key.sightings} checks"
    if key.is_active and key.seen_at is None:
        return "signing, not seen yet"
    return str(key.state)


def _facts(key: SigningKey) -> dict[str, Any]:
    times = ("found_since", "seen_at", "retires_at", "created_at")
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
    }
