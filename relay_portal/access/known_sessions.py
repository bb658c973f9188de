"""All running sessions: whose each is, and whether the OpenID provider opened it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone

from relay_portal.access.sessions import SessionStore
from relay_portal.models import User

FROM_PROVIDER = "portal_from_provider"  # subject, session and ID token


def running() -> Iterator[tuple[Session, dict[str, Any]]]:
    """Yield each with what it holds; it has to be decrypted to know whose it is."""
    store = SessionStore()
    for row in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        yield row, store.decode(row.session_data)


def of_user(user: User) -> Iterator[tuple[Session, dict[str, Any]]]:
    for row, held in running():
        if held.get(SESSION_KEY) == str(user.pk):
            yield row, held


def end_those_from_provider(subject: str, session: str) -> dict[User, int]:
    """End those that the provider opened for this subject and in this session of its own; an empty
    text stands for all. Return whose and how many they were.
    """
    ended: Counter[str] = Counter()
    for row, held in running():
        about = held.get(FROM_PROVIDER)
        if about and subject in ("", about["subject"]) and session in ("", about["sid"]):
            row.delete()
            ended[held.get(SESSION_KEY, "")] += 1
    users = User.objects.filter(pk__in=[int(key) for key in ended if key])
    return {user: ended[str(user.pk)] for user in users}
