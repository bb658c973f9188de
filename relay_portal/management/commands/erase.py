"""Erase a person from all that the installation keeps."""

from typing import Any

from domains.foundation.command import CommandError, CommandParser, EkidenCommand
from domains.operations import own_keys
from relay_portal.erasure import person
from relay_portal.erasure.person import ErasureProof
from relay_portal.erasure.spellings import spellings_of
from relay_portal.models import User

LEFT = 1
ELSEWHERE = (
    "the log in journald: journalctl --vacuum-time=1s removes it, or wait for its limit",
    "the files of other machines with workers or listeners: run the same there",
    "failed jobs in Valkey, for a day: Queues in the portal deletes them",
    "backups and dumps: delete those, or run the same after one is restored",
    "what apps, receivers and senders of reports keep",
)


class Command(EkidenCommand):
    help = (
        "Erase a person: put another text in the place of an address in every table, delete "
        "contents, inbound mail, suppressions and evidence about it, and prove it by counts."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address", help="the person's mail address")
        parser.add_argument("--reason", default="", help="for the audit log, without the address")
        parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(
        self, *, address: str, reason: str, dry_run: bool, as_json: bool, **options: Any
    ) -> None:
        spellings = spellings_of(address)
        if User.objects.filter(username__in=spellings.all).exists():
            raise CommandError(
                f"{spellings.key} is the log-in of a person of the portal: give them another name"
                " first, in the portal under Users."
            )
        own_keys.check_secret()
        try:
            proof = person.look(spellings) if dry_run else person.erase(spellings, reason=reason)
        except OSError as error:
            raise CommandError(
                f"{error.filename or 'A file'} in the data folder cannot be read or written:"
                f" {error.strerror}. Run the same again as the account that the service runs as."
            ) from error
        if as_json:
            self.write_json(_facts(proof, is_dry=dry_run))
        else:
            self._tell(proof, is_dry=dry_run)
        if not dry_run and not proof.is_complete:
            raise CommandError(_why_not(proof), returncode=LEFT)

    def _tell(self, proof: ErasureProof, *, is_dry: bool) -> None:
        rows = [
            (*where, str(before), "-" if is_dry else str(proof.after.get(where, 0)))
            for where, before in sorted((proof.before | _new(proof)).items())
        ]
        header = ("TABLE", "COLUMN", "ROWS BEFORE", "AFTER")
        self.write_table([header, *rows], empty="Nothing here names that address.")
        if is_dry:
            return
        self.stdout.write(
            f"In its place stands {proof.instead}. {proof.cancelled} deliveries that waited were"
            f" cancelled; {proof.audit_entries} entries of the audit log were changed, and its"
            f" chain {'does not hold' if proof.audit_fault else 'holds'}.\n"
            f"Not reached: {'; '.join(ELSEWHERE)}."
        )


def _new(proof: ErasureProof) -> dict[tuple[str, str], int]:
    """Return what came while it ran."""
    return {where: 0 for where in proof.after if where not in proof.before}


def _facts(proof: ErasureProof, *, is_dry: bool) -> dict[str, Any]:
    return {
        "dry_run": is_dry,
        "instead": proof.instead or None,
        "found": [
            {
                "table": table,
                "column": column,
                "before": before,
                "after": None if is_dry else proof.after.get((table, column), 0),
            }
            for (table, column), before in sorted((proof.before | _new(proof)).items())
        ],
        "cancelled": proof.cancelled,
        "audit_entries": proof.audit_entries,
        "audit_log_intact": None if is_dry else not proof.audit_fault,
        "complete": not proof.before if is_dry else proof.is_complete,
        "not_reached": list(ELSEWHERE),
    }


def _why_not(proof: ErasureProof) -> str:
    if proof.audit_fault:
        return f"The chain of the audit log does not hold: {proof.audit_fault}"
    left = ", ".join(f"{table}.{column}" for table, column in sorted(proof.after))
    return (
        f"Something is left in {left}: other recipients wait for it, or it is being handled. Run"
        " the same again in some minutes."
    )
