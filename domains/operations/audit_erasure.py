"""Makes a person unknown in the audit log, whose chain still proves itself afterwards.

The entries change, and so does the digest of what their seals cover. An entry of the erasure itself
names the new digest of each such seal and is sealed in its turn (`audit_chain.Erasures`): nobody
changes an entry without a word about it in the chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from domains.foundation import sql
from domains.models import AuditEntry, AuditSeal
from domains.operations import audit, audit_chain

# The words of an entry; who did it, when and to what kind of thing are not among them.
COLUMNS = ("object_id", "object_name", "reason", "details", "actor")
# For this transaction alone; a trigger looks at it, and lets nothing but these columns change.
ALLOW = "SET LOCAL ekiden.audit_erasure = 'on'"
REPLACE = """
UPDATE domains_auditentry SET object_id = regexp_replace(object_id, %(pattern)s, %(instead)s, 'gi'),
    object_name = regexp_replace(object_name, %(pattern)s, %(instead)s, 'gi'),
    reason = regexp_replace(reason, %(pattern)s, %(instead)s, 'gi'),
    actor = regexp_replace(actor, %(pattern)s, %(instead)s, 'gi'),
    details = regexp_replace(details::text, %(pattern)s, %(instead)s, 'gi')::jsonb
WHERE concat_ws(E'\\t', object_id, object_name, reason, actor, details::text) ~* %(pattern)s
RETURNING id
"""


@transaction.atomic
def erase(pattern: str, instead: str, *, row: Any, reason: str, facts: Mapping[str, Any]) -> int:
    """Put `instead` in the place of what the pattern (of PostgreSQL) finds, and write down that it
    was done: about `row`, with these facts. Return how many entries changed.
    """
    audit_chain.seal()
    sql.run(ALLOW)
    ids = sql.column(REPLACE, {"pattern": pattern, "instead": instead})
    seals = {
        str(each.number): audit_chain.contents_of(
            audit_chain.line(entry)
            for entry in AuditEntry.objects.filter(pk__in=each.entry_ids).order_by("id")
        )
        for each in AuditSeal.objects.filter(entry_ids__overlap=ids)
    }
    details = {**facts, "entries": len(ids), "seals": seals}
    audit.note_command(audit_chain.ERASE, row, reason=reason, details=details)
    return len(ids)
