"""Who comes by the provider, and what their groups let them do here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from domains.foundation.rights import Role
from domains.foundation.text.texts import one_line
from domains.models import Project
from domains.operations import audit
from relay_portal.access import invitations
from relay_portal.models import GroupRole, ProviderIdentity, User
from relay_portal.openid.provider import Json

NAME_MOST = 140  # characters; a number may follow
NAMES = ("preferred_username", "email", "name", "sub")  # the first that is there
NO_NAME = re.compile(r"[^\w.@+-]+")
ROLES = list(Role.values)  # who has several gets the first


@dataclass(frozen=True, slots=True)
class Granted:
    """What groups let a person do; `projects`: None for the whole installation."""

    role: str
    projects: frozenset[Project] | None


def groups_of(claims: Json, name: str) -> list[str]:
    """Return the groups that the provider names; one alone may come as a text."""
    said = claims.get(name)
    return [str(each) for each in (said if isinstance(said, list) else [said] if said else [])]


def granted_by(rows: Sequence[GroupRole]) -> Granted | None:
    """Return the strongest role of these groups, in all projects that groups with it name."""
    if not rows:
        return None
    role = min((row.role for row in rows), key=ROLES.index)
    giving = [row for row in rows if row.role == role]
    if any(not row.is_limited for row in giving):
        return Granted(role, None)
    return Granted(role, frozenset(project for row in giving for project in row.projects.all()))


@transaction.atomic
def admit(claims: Json, groups: list[str], *, client_address: str | None) -> User | None:
    """Return the person, with the role that their groups give now.

    None: no group of theirs is mapped. A person who had come before has lost the role then, and
    every session.
    """
    # Locked, so that two first log-ins of one person make one account.
    rows = GroupRole.objects.select_for_update().filter(group__in=groups).order_by("pk")
    granted = granted_by(list(rows))
    found = (
        ProviderIdentity.objects.filter(issuer=claims["iss"], subject=claims["sub"])
        .select_related("user")
        .first()
    )
    if found is None:
        return None if granted is None else _new(claims, granted, client_address)
    user: User = found.user
    if granted is None:
        _change(user, Granted(Role.SUPPORT, frozenset()), client_address, may_enter=False)
        invitations.end_sessions(user)
        return None
    _change(user, granted, client_address, may_enter=True)
    return user


def _new(claims: Json, granted: Granted, client_address: str | None) -> User:
    user = User(
        username=_free_name(claims),
        email=one_line(str(claims.get("email") or ""), 254),
        is_staff=True,
        role=granted.role,
        is_limited=granted.projects is not None,
    )
    user.set_unusable_password()
    user.save()
    user.projects.set(granted.projects or ())
    ProviderIdentity.objects.create(
        user=user, name="provider", issuer=claims["iss"], subject=claims["sub"]
    )
    details = {"values": {**audit.facts(user), **_granted(user)}, "subject": claims["sub"]}
    audit.note(user.username, "add", user, details=details, client_address=client_address)
    return user


def _change(user: User, granted: Granted, client_address: str | None, *, may_enter: bool) -> None:
    before = _granted(user)
    user.role, user.is_limited = granted.role, granted.projects is not None
    user.is_staff = may_enter
    user.save(update_fields=["role", "is_limited", "is_staff"])
    user.projects.set(granted.projects or ())
    if changed := audit.changes(before, _granted(user)):
        audit.note(
            user.username,
            "change",
            user,
            reason="The groups at the provider say so.",
            details={"changed": changed},
            client_address=client_address,
        )


def _granted(user: User) -> dict[str, Any]:
    projects = sorted(each.name for each in user.projects.all()) if user.is_limited else None
    return {"role": user.role, "projects": projects, "is_staff": user.is_staff}


def _free_name(claims: Json) -> str:
    """Return a user name that nobody has: whoever has it already is somebody else, whatever the
    provider calls this person.
    """
    said = next(str(claims[name]) for name in NAMES if claims.get(name))
    wanted = NO_NAME.sub("-", one_line(said, NAME_MOST)).strip("-") or "person"
    taken = set(User.objects.filter(username__startswith=wanted).values_list("username", flat=True))
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (wanted, *numbered) if name not in taken)
