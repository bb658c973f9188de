"""The audit log: who did what to which row, why, and what was before."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.db.models import BinaryField, Model, QuerySet
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

from domains.foundation.text import texts
from domains.models import AuditEntry, Project

# Beside what is stored as bytes (hashes, encrypted keys): never written down, whoever changes it.
SECRET = frozenset({"password", "secret", "token"})

REASON_MOST = 500
COMMAND_LINE = gettext_noop("command line (%s)")

ACTIONS: dict[str, Promise | str] = {
    "add": _("Added"),
    "change": _("Changed"),
    "delete": _("Deleted"),
    "revoke": _("Revoked"),
    "reveal": _("Revealed addresses"),
    "show_content": _("Looked at the content"),
    "send_test": _("Sent a test message"),
    "note_next": _("Had the next SMTP dialogue noted"),
    "resend": _("Sent it to another address"),
    "try_login": _("Tried the log-in"),
    "check_now": _("Looked up its records"),
    "take_on_word": _("Took it on their word"),
    "start_signing": _("Let it sign"),
    "sign_again": _("Let it sign again: the key after it failed"),
    "delegate_keys": _("Had its keys delegated"),
    "keep_keys": _("Ended the delegation of its keys"),
    "set_update_key": _("Set the key that signs updates of the zone of keys"),
    "choose_rotation": _("Chose how often its key changes"),
    "stop_signing": _("Stopped it from signing"),
    "rotate": _("Made its next key"),
    "encrypt_anew": _("Encrypted what is kept under the newest key"),
    "forget_old_keys": _("Forgot the older keys of the ring"),
    "retired": _("Retired a key that no mail needs any more"),
    "allow_subdomains": _("Let names below it send"),
    "forbid_subdomains": _("Let only the domain itself send"),
    "lapsed": _("Ended its trust: nothing in DNS has proven it for 72 hours"),
    "passed_on": _("Passed to another project that has proven it"),
    "took_over": _("Taken over, since DNS proves it for this project"),
    "use_return_path": _("Began to use its own return path"),
    "choose_return_path": _("Chose its return path"),
    "start_anew": _("Gave a new password"),
    "invite": _("Invited"),
    "accept": _("Accepted the invitation"),
    "change_password": _("Changed the own password"),
    "set_up_factor": _("Set up a second factor"),
    "remove_factor": _("Removed a second factor"),
    "end_sessions": _("Ended own sessions"),
    "log_in_by_provider": _("Logged in by the provider"),
    "ended_by_provider": _("Logged out by the provider"),
    "make_recovery_codes": _("Made recovery codes"),
    "live": _("Left the sandbox"),
    "sandbox": _("Went into the sandbox"),
    "pause": pgettext_lazy("an act", "Paused"),
    "resume": _("Resumed"),
    "flush": _("Flushed"),
    "rest": _("Let it rest"),
    "use": _("Put into use"),
    "out": _("Took out of use"),
    "reset": _("Reset to shipped"),
    "order": _("Gave an order"),
    "stop_order": _("Stopped an order"),
    "lift": _("Lifted"),
    "import": _("Imported"),
    "export": _("Exported"),
    "download": _("Downloaded"),
    "alert": _("Warned"),
    "warm_up": _("Warmed up"),
    "brake": _("Stopped learning"),
    "believe": _("Believed what was learned"),
    "forget": _("Forgot what was learned"),
    "apply": _("Carried out"),
    "try_again": _("Tried again"),
    "drop": _("Gave up"),
    "requeue": _("Queued again"),
    "set_aside": _("Put aside"),
    "erase": _("Made a person unknown"),
}


def note(actor: str, action: str, row: Model, **more: Any) -> AuditEntry:
    """Write it down, in the transaction of the act itself; `more` is that of `entry`."""
    made = entry(actor, action, row, **more)
    made.save(force_insert=True)
    return made


def entry(
    actor: str,
    action: str,
    row: Model,
    *,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    project: Project | None = None,
    client_address: str | None = None,
) -> AuditEntry:
    """Build an entry without saving it, so that many can be saved at once.

    `project` says whose support staff may read it, where the row does not say.
    """
    with translation.override("en"):  # one language, whoever reads it later
        name = str(row)
    return AuditEntry(
        actor=actor,
        client_address=client_address,
        action=action,
        project=project or project_of(row),
        object_type=row._meta.label_lower,
        object_id=str(row.pk),
        object_name=name,
        reason=reason,
        details=dict(details or {}),
    )


def note_command(
    action: str, row: Model, *, reason: str = "", details: Mapping[str, Any] | None = None
) -> AuditEntry:
    """Write down what a command did."""
    return note(command_line(), action, row, reason=reason, details=details)


def command_line() -> str:
    """Return the actor of a command: the account that runs it."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as containers have
        account = "?"
    return COMMAND_LINE % account


def action_label(action: str) -> Promise | str:
    return ACTIONS.get(action, action)


def one_line(text: str) -> str:
    """Return a reason as it is kept: printable, on one line, of a bearable length."""
    return texts.one_line(text, REASON_MOST)


def of(row: Model) -> QuerySet[AuditEntry]:
    """Return what was done to this row, newest first."""
    return AuditEntry.objects.filter(
        object_type=row._meta.label_lower, object_id=str(row.pk)
    ).order_by("-id")


def project_of(row: Model) -> Project | None:
    """Return the row itself, or what it or its domain belongs to, or None."""
    found = (
        row
        if isinstance(row, Project)
        else getattr(row, "project", None) or getattr(getattr(row, "domain", None), "project", None)
    )
    return found if isinstance(found, Project) else None


def facts(row: Model, fields: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the row's values by field, without its secrets; of all fields, or of these."""
    chosen = [
        field for field in row._meta.concrete_fields if fields is None or field.name in set(fields)
    ]
    return {
        field.name: plain(getattr(row, field.name))
        for field in chosen
        if not isinstance(field, BinaryField) and field.name not in SECRET
    }


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return [before, after] of each value that has changed."""
    return {
        name: [before.get(name), value]
        for name, value in after.items()
        if before.get(name) != value
    }


def plain(value: Any) -> Any:
    """Convert a value to what JSON holds; rows become their names."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case date():  # a datetime too
            return value.isoformat()
        case Mapping():
            return {str(name): plain(each) for name, each in value.items()}
        case QuerySet() | list() | tuple() | set() | frozenset():
            named = [plain(each) for each in value]
            return sorted(named) if any(isinstance(each, Model) for each in value) else named
    return str(value)
