"""Manage the people of the portal: their roles, and the projects that they are limited to."""

from typing import Any

from django.db import transaction

from domains.foundation.command import ActionCommand, AddAction, CommandError
from domains.operations import audit, own_keys
from relay_portal.access import invitations
from relay_portal.access.enrolment import factors
from relay_portal.management.roles import add_role, projects_named
from relay_portal.models import User


class Command(ActionCommand):
    help = "The people who may log in to the portal, what they may do, and in which projects."

    def add_actions(self, add: AddAction) -> None:
        inviting = add("invite", self.invite, "Add a person; prints the link of an invitation.")
        inviting.add_argument("name")
        inviting.add_argument("--email", default="", help="the person's address")
        add_role(inviting)
        changing = add("change", self.change, "Give another role, or other projects.")
        changing.add_argument("name")
        add_role(changing)
        add("list", self.list_all, "List everybody who may log in.")
        resetting = add(
            "reset",
            self.reset,
            "End password, second factors and sessions of a person; prints a new invitation.",
        )
        resetting.add_argument("name")

    @transaction.atomic
    def invite(
        self, *, name: str, email: str, role: str, project: list[str], as_json: bool
    ) -> None:
        if User.objects.filter(username=name).exists():
            raise CommandError(
                f"There is a user {name} already. A new invitation: ./ekiden person reset {name}"
            )
        user = User(username=name, email=email, is_staff=True, role=role, is_limited=bool(project))
        user.set_unusable_password()
        user.full_clean()
        user.save()
        user.projects.set(projects_named(project))
        audit.note_command("add", user, details={"values": _values(user)})
        self._invite(user, as_json=as_json)

    @transaction.atomic
    def change(self, *, name: str, role: str, project: list[str]) -> None:
        user = _user(name)
        before = _values(user)
        user.role, user.is_limited = role, bool(project)
        user.check_an_owner_remains()
        user.save(update_fields=["role", "is_limited"])
        user.projects.set(projects_named(project))
        after = _values(user)
        audit.note_command("change", user, details={"changed": audit.changes(before, after)})
        where = f"limited to {', '.join(project)}" if project else "for the whole installation"
        self.stdout.write(f"{name} is {role} now, {where}.")

    def list_all(self, *, as_json: bool) -> None:
        users = [
            _facts(user) for user in User.objects.prefetch_related("projects").order_by("username")
        ]
        if as_json:
            return self.write_json(users)
        header = ("NAME", "ROLE", "PROJECTS", "SECOND FACTOR", "LAST LOG-IN")
        rows = [
            (
                each["name"],
                each["role"],
                "all" if each["projects"] is None else ", ".join(each["projects"]) or "none",
                "yes" if each["has_second_factor"] else "no",
                each["last_login"] or "-",
            )
            for each in users
        ]
        return self.write_table(
            [header, *rows], empty="There is nobody yet: ./ekiden person invite NAME"
        )

    @transaction.atomic
    def reset(self, *, name: str, as_json: bool) -> None:
        # under another key nobody's session could be told from his, and ended
        own_keys.check_secret()
        self._invite(_user(name), as_json=as_json)

    def _invite(self, user: User, *, as_json: bool) -> None:
        audit.note_command("invite", user)
        invitation, token = invitations.invite(user, by=audit.command_line())
        link = invitations.link(token)
        ends = invitation.expires_at.isoformat(timespec="seconds")
        if as_json:
            facts = {name: _facts(user)[name] for name in ("name", "role", "projects")}
            return self.write_json({**facts, "link": link, "expires_at": ends})
        self.stdout.write(
            f"Invitation for {user.username}, shown once; it works once, until {ends}:\n{link}\n"
            "Whoever opens it chooses the password and sets up the second factor."
        )
        return None


def _user(name: str) -> User:
    user = User.objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"There is no user {name}. See: ./ekiden person list")
    return user


def _values(user: User) -> dict[str, Any]:
    return {**audit.facts(user), "projects": _names(user)}


def _names(user: User) -> list[str] | None:
    """Return the projects that the person is limited to; None: all."""
    return sorted(each.name for each in user.projects.all()) if user.is_limited else None


def _facts(user: User) -> dict[str, Any]:
    return {
        "name": user.username,
        "role": user.role,
        "projects": _names(user),
        "is_active": user.is_active,
        "has_second_factor": bool(factors(user)),
        "last_login": user.last_login.isoformat(timespec="seconds") if user.last_login else None,
    }
