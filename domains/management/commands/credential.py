"""Create, list, change and revoke credentials."""

from typing import Any

from django.utils import timezone

from domains.foundation.command import ActionCommand, AddAction, CommandError, CommandParser
from domains.management.commands.project import yes_or_no
from domains.models import Credential, CredentialKind
from domains.operations import audit
from domains.senders import credentials, names

LIMITS = {
    "max_size": "bytes in a message",
    "max_recipients": "recipients of a message",
    "per_minute": "messages in a minute",
    "per_day": "messages in a day",
    "max_sessions": "sessions at once",
}
PRIORITIES = {priority.name.lower(): priority.value for priority in Credential.PriorityLevel}


class Command(ActionCommand):
    help = (
        "What an app shows to send: a user name with a generated secret, or the network it sends "
        "from."
    )

    def add_actions(self, add: AddAction) -> None:
        create = _with_creation(
            add(
                "create",
                self.create,
                "Create a credential; its secret is shown once and never again.",
            )
        )
        listing = add("list", self.list_all, "List the credentials, without their secrets.")
        listing.add_argument("--project")
        change = add("set", self.set, "Change how urgent its mail is, and where it goes.")
        revoke = add("revoke", self.revoke, "Revoke a credential at once and for good.")
        for parser in (change, revoke):
            parser.add_argument(
                "name", metavar="USERNAME", help="its user name, or its name with --project"
            )
            parser.add_argument("--project")
        change.add_argument(
            "--sandbox",
            type=yes_or_no,
            metavar="yes|no",
            dest="is_sandboxed",
            help="all its mail goes to the built-in sandbox",
        )
        _add_priorities(create, usual="normal", highest="urgent")
        _add_priorities(change, usual=None, highest=None)

    def create(
        self,
        *,
        project: str,
        name: str,
        network: list[str],
        domain: list[str],
        priority: str,
        highest_priority: str,
        as_json: bool,
        **rest: Any,
    ) -> None:
        owner = names.project(project)
        credential, secret = credentials.issue(
            owner,
            name,
            networks=network,
            domains=[names.domain(each, of=project) for each in domain],
            priority=PRIORITIES[priority],
            highest_priority=PRIORITIES[highest_priority],
            **rest,
        )
        audit.note_command("add", credential, details={"values": audit.facts(credential)})
        if as_json:
            return self.write_json({"username": credential.username, "password": secret or None})
        if credential.kind == CredentialKind.NETWORK:
            return self.stdout.write(
                f"Created {credential}: mail from {', '.join(credential.networks)} needs no AUTH."
            )
        self.stdout.write(f"user name  {credential.username}\nsecret     {secret}\n")
        return self.stdout.write("The secret is shown this once; only a hash of it is kept.")

    def list_all(self, *, project: str | None, as_json: bool) -> None:
        everything = (
            Credential.objects.select_related("project")
            .prefetch_related("domains")
            .order_by("project__name", "name")
        )
        chosen = everything.filter(project=names.project(project)) if project else everything
        if as_json:
            return self.write_json([_facts(credential) for credential in chosen])
        header = ("NAME", "PROJECT", "USER NAME OR NETWORKS", "LAST USED", "STATE")
        return self.write_table(
            [header, *map(_row, chosen)],
            empty="There is no credential. Create one: ./ekiden credential create",
        )

    def set(
        self,
        *,
        name: str,
        project: str | None,
        is_sandboxed: bool | None,
        **priorities: str | None,
    ) -> None:
        given: dict[str, Any] = {
            field: PRIORITIES[word] for field, word in priorities.items() if word is not None
        }
        if is_sandboxed is not None:
            given["is_sandboxed"] = is_sandboxed
        if not given:
            raise CommandError("Say what to change (see: ./ekiden credential set --help).")
        credential = names.credential(name, of=project)
        before = audit.facts(credential)
        for field, level in given.items():
            setattr(credential, field, level)
        credential.full_clean()
        credential.save(update_fields=list(given))
        audit.note_command(
            "change",
            credential,
            details={"changed": audit.changes(before, audit.facts(credential))},
        )
        self.stdout.write(
            f"Changed {', '.join(field.replace('_', ' ') for field in given)} of {credential}; "
            "open sessions follow."
        )

    def revoke(self, *, name: str, project: str | None) -> None:
        credential = names.credential(name, of=project)
        credential.revoke(now=timezone.now())
        audit.note_command("revoke", credential)
        self.stdout.write(f"Revoked {credential}; listeners refuse it from now on.")


def _row(credential: Credential) -> tuple[str, ...]:
    proof = credential.username or ", ".join(credential.networks)
    used = f"{credential.last_used_at:%Y-%m-%d %H:%M}" if credential.last_used_at else "never"
    return (
        credential.name,
        credential.project.name,
        proof,
        used,
        "revoked" if credential.is_revoked else "in use",
    )


def _facts(credential: Credential) -> dict[str, Any]:
    return {
        "name": credential.name,
        "project": credential.project.name,
        "kind": credential.kind,
        "username": credential.username,
        "networks": credential.networks,
        "domains": [domain.name for domain in credential.domains.all()],
        "is_sandboxed": credential.is_sandboxed,
        "priority": Credential.PriorityLevel(credential.priority).name.lower(),
        "highest_priority": Credential.PriorityLevel(credential.highest_priority).name.lower(),
        **{limit: getattr(credential, limit) for limit in LIMITS},
        "created_at": credential.created_at.isoformat(),
        "last_used_at": credential.last_used_at and credential.last_used_at.isoformat(),
        "last_used_from": credential.last_used_from,
        "revoked_at": credential.revoked_at and credential.revoked_at.isoformat(),
    }


def _with_creation(parser: CommandParser) -> CommandParser:
    parser.add_argument("--project", required=True)
    parser.add_argument("--name", required=True, help="lower-case letters, digits and hyphens")
    parser.add_argument(
        "--kind",
        choices=CredentialKind.values,
        default="password",
        help="network: no AUTH, from --network only",
    )
    parser.add_argument(
        "--network",
        action="append",
        default=[],
        metavar="CIDR",
        help="allow only from here (again for more)",
    )
    parser.add_argument(
        "--domain",
        action="append",
        default=[],
        help="allow only this From domain (again for more)",
    )
    parser.add_argument(
        "--sandbox",
        action="store_true",
        dest="is_sandboxed",
        help="all its mail goes to the built-in sandbox",
    )
    for limit, meaning in LIMITS.items():
        parser.add_argument(
            f"--{limit.replace('_', '-')}", type=int, metavar="N", help=f"at most N {meaning}"
        )
    return parser


def _add_priorities(parser: CommandParser, *, usual: str | None, highest: str | None) -> None:
    parser.add_argument(
        "--priority", choices=PRIORITIES, default=usual, help="of a message that asks for none"
    )
    parser.add_argument(
        "--highest-priority", choices=PRIORITIES, default=highest, help="that a message may ask for"
    )
