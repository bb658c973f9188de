"""Invitations: a link that works once and for three days, by which a person chooses a password and
enrols a second factor in one go.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django_otp import devices_for_user

from relay_portal.access import known_sessions
from relay_portal.models import Invitation, ProviderIdentity, User

LASTS = timedelta(days=3)
TOKEN_BYTES = 24  # 192 bits, 32 characters
IN_SESSION = "portal_invitation"


def hashed(token: str) -> str:
    return salted_hmac("relay_portal.invitations", token, algorithm="sha256").hexdigest()


@transaction.atomic
def invite(user: User, *, by: str) -> tuple[Invitation, str]:
    """Return a new invitation and the secret part of its link, which is kept nowhere.

    It begins the account anew: password, second factors, recovery codes, sessions and an earlier
    invitation end.
    """
    for device in devices_for_user(user, confirmed=None):
        if not isinstance(device, ProviderIdentity):  # who they are there goes on
            device.delete()
    user.set_unusable_password()
    user.enrolled_at = None
    user.save(update_fields=["password", "enrolled_at"])
    end_sessions(user)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    invitation, _made = Invitation.objects.update_or_create(
        user=user,
        defaults={
            "token_hash": hashed(token),
            "created_by": by,
            "expires_at": timezone.now() + LASTS,
        },
    )
    return invitation, token


def link(token: str) -> str:
    """Return the address to open: the public one, or this machine's own."""
    base = settings.EKIDEN_PUBLIC_URL or f"http://localhost:{settings.EKIDEN_PORTAL_PORT}"
    return f"{base.rstrip('/')}{reverse('two_factor:open_invitation', args=[token])}"


def find(token_hash: str) -> Invitation | None:
    """Return the invitation whose link this is the hash of, as long as it is good."""
    return _open(token_hash=token_hash)


def of_session(request: Any) -> Invitation | None:
    """Return the invitation through which this session came in, as long as it is good."""
    kept = request.session.get(IN_SESSION)
    return _open(token_hash=kept, user=request.user.pk) if kept else None


def use_up(invitation: Invitation) -> bool:
    """Return whether it was this call that ended it: of two who hold the link one wins."""
    used, _by_model = Invitation.objects.filter(
        pk=invitation.pk, token_hash=invitation.token_hash
    ).delete()
    return bool(used)


def _open(**given: Any) -> Invitation | None:
    return (
        Invitation.objects.filter(**given, expires_at__gt=timezone.now(), user__is_active=True)
        .select_related("user")
        .first()
    )


def end_sessions(user: User) -> None:
    """End all sessions of the user: a stolen one must not outlive a reset."""
    for session, _held in known_sessions.of_user(user):
        session.delete()
