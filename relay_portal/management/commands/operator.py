"""Manage the operators of the portal."""

from typing import Any

from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone
from django_otp import devices_for_user

from domains.foundation.command import ActionCommand, AddAction, CommandError
from domains.operations import audit, own_keys
from relay_portal.access.sessions import SessionStore
from relay_portal.models import User


class Command(ActionCommand):
    help = (
        "The people who may log in to the portal as operators; support staff are made in the "
        "portal itself."
    )

    def add_actions(self, add: AddAction) -> None:
        add("add", self.add, "Add an operator; the password is shown once.").add_argument("name")
        add("list", self.list_all, "List everybody who may log in.").add_argument(
            "--json", action="store_true", dest="as_json"
        )
        add(
            "reset",
            self.reset,
            "Give a new password and forget the second factor; it is set up anew at the next "
            "log-in.",
        ).add_argument("name")

    @transaction.atomic
    def add(self, *, name: str) -> None:
        if User.objects.filter(username=name).exists():
            raise CommandError(
                f"There is a user {name} already. A new password: ./ekiden operator reset {name}"
            )
        user = User(username=name, is_staff=True, is_superuser=True)
        user.set_unusable_password()
        user.full_clean()
        user.save()
        audit.note_command("add", user, details={"values": audit.facts(user)})
        self._show(user, user.start_anew())

    def list_all(self, *, as_json: bool) -> None:
        users = [_facts(user) for user in User.objects.order_by("username")]
        if as_json:
            return self.write_json(users)
        header = ("NAME", "ROLE", "SECOND FACTOR", "LAST LOG-IN")
        rows = [
            (
                each["name"],
                each["role"],
                "yes" if each["has_second_factor"] else "no",
                each["last_login"] or "-",
            )
            for each in users
        ]
        return self.write_table(
            [header, *rows], empty="There is nobody yet: ./ekiden operator add NAME"
        )

    @transaction.atomic
    def reset(self, *, name: str) -> None:
        # under another key nobody's session could be told from his, and ended
        own_keys.check_secret()
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user {name}. See: ./ekiden operator list")
        _end_sessions(user)
        audit.note_command("start_anew", user)
        self._show(user, user.start_anew())

    def _show(self, user: User, password: str) -> None:
        self.stdout.write(
            f"Log-in {user.username}, password {password} (shown once). The second factor is set "
            "up at the next log-in."
        )


def _end_sessions(user: User) -> None:
    """All running ones; a stolen session must not outlive the reset."""
    store = SessionStore()
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if store.decode(session.session_data).get("_auth_user_id") == str(user.pk):
            session.delete()


def _facts(user: User) -> dict[str, Any]:
    return {
        "name": user.username,
        "role": "operator" if user.is_superuser else "support",
        "is_active": user.is_active,
        "has_second_factor": any(True for _ in devices_for_user(user)),
        "last_login": user.last_login.isoformat(timespec="seconds") if user.last_login else None,
    }
