"""Show who did what, and prove that the log of it was not changed."""

import sys
from argparse import ArgumentTypeError
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.db.models import Q

from domains.foundation.command import CommandError, CommandParser, EkidenCommand
from domains.models import AuditEntry
from domains.operations import audit_chain

SHOWN = 50
CHANGED = 3  # the exit status of `verify` where the log is not as it was written


class Command(EkidenCommand):
    help = (
        f"Show who did what, newest first ({SHOWN}; with --json 10,000). `audit verify` proves "
        "that nothing of it was changed or removed; `audit export` writes all of it with its proof."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", nargs="?", choices=("show", "verify", "export"))
        parser.add_argument(
            "--file",
            type=Path,
            metavar="FILE",
            help="verify: look at this export, not at the database; export: write there",
        )
        parser.add_argument(
            "--anchor",
            type=_anchor,
            metavar="NUMBER:DIGEST",
            help="verify: a last seal that an earlier proof, or the log of the service, has named",
        )
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
        action: str | None,
        file: Path | None,
        anchor: str | None,
        **options: Any,
    ) -> None:
        if action == "verify":
            return self.verify(file, anchor or "", as_json=as_json)
        if action == "export":
            return self.export(file)
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

    def verify(self, file: Path | None, anchor: str, *, as_json: bool) -> None:
        try:
            if file is None:
                audit_chain.seal()
                proof = audit_chain.verify(
                    audit_chain.of_database(), anchor=anchor, before=audit_chain.kept_since()
                )
            else:
                with file.open(encoding="utf-8") as lines:
                    proof = audit_chain.verify(audit_chain.of_file(lines), anchor=anchor)
        except (OSError, audit_chain.BadChain) as error:
            raise CommandError(f"{file}: {error}") from error
        if as_json:
            self.write_json(
                {
                    "intact": not proof.fault,
                    "seals": proof.seals,
                    "entries": proof.entries,
                    "expired": proof.expired,
                    "seals_with_erasures": proof.erased,
                    "last_seal": proof.last,
                    "fault": proof.fault or None,
                }
            )
        elif not proof.fault:
            self.stdout.write(_in_words(proof))
        if proof.fault:
            raise CommandError(
                f"The audit log was changed after it was written. {proof.fault}"
                f" {proof.seals:,} seals before it are as they were.",
                returncode=CHANGED,
            )

    def export(self, file: Path | None) -> None:
        audit_chain.seal()
        lines = audit_chain.exported(audit_chain.of_database())
        try:
            with file.open("x", encoding="utf-8") if file else nullcontext(sys.stdout) as out:
                out.writelines(f"{each}\n" for each in lines)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error


def _anchor(text: str) -> str:
    number, _, digest = text.partition(":")
    if not number.isdecimal() or len(digest) != 64:
        raise ArgumentTypeError("a last seal is written as NUMBER:DIGEST, with 64 hex digits")
    return text


def _in_words(proof: audit_chain.ChainProof) -> str:
    expired = f", {proof.expired:,} removed by EKIDEN_AUDIT_DAYS" if proof.expired else ""
    erased = (
        f"\nUnder {proof.erased:,} of the seals a person was made unknown, as later entries say."
        if proof.erased
        else ""
    )
    return (
        f"The audit log is as it was written: {proof.entries:,} entries under {proof.seals:,}"
        f" seals{expired}.{erased}\n"
        f"Last seal: {proof.last}\n"
        "Keep that line where nobody of this machine can write. Later it proves that all up to "
        "it is still the same:\n"
        f"./ekiden audit verify --anchor {proof.last}"
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
