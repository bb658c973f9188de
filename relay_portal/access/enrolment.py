"""Who may get their first second factor: by an invitation, or by a log-in of the provider's."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django_otp import devices_for_user
from django_otp.models import Device

from relay_portal.access import invitations
from relay_portal.access.known_sessions import FROM_PROVIDER
from relay_portal.models import User


def factors(user: Any) -> list[Device]:
    """Return what a person logs in with; recovery codes and the provider's word do not count."""
    return [device for device in devices_for_user(user) if device.name == "default"]


def came_by_provider(request: HttpRequest) -> bool:
    return FROM_PROVIDER in request.session


def is_open(request: HttpRequest) -> bool:
    """Return whether this session, which has shown no factor, may set one up.

    Who has enrolled before and lost all needs a reset, by whatever way they came.
    """
    if invitations.of_session(request) is not None:
        return True
    user = request.user
    return (
        came_by_provider(request)
        and isinstance(user, User)
        and user.enrolled_at is None
        and not factors(user)
    )


def use_up(request: HttpRequest) -> bool:
    """Return whether it was this request that used up the right to enrol: of two who hold a link
    and enrol at once, one wins here, and the other is out.
    """
    invitation = invitations.of_session(request)
    if invitation is None:
        enrolling = User.objects.select_for_update().filter(pk=request.user.pk or 0)
        return came_by_provider(request) and enrolling.get().enrolled_at is None
    request.session.pop(invitations.IN_SESSION)
    return invitations.use_up(invitation)
