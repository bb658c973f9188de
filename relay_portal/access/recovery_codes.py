"""A person's recovery codes: made ten at a time, shown once, on a sheet that they keep."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken

from relay_portal.models import User


@transaction.atomic
def device_of(user: Any) -> StaticDevice:
    """Return what keeps the person's codes, made where it is not there."""
    if (found := user.staticdevice_set.first()) is None:
        # Of two pages that are opened at once one makes it: nothing in the table says so.
        User.objects.select_for_update().get(pk=user.pk)
        found = user.staticdevice_set.get_or_create(defaults={"name": "backup"})[0]
    return found


@transaction.atomic
def make(device: StaticDevice, amount: int) -> list[str]:
    """Return new codes, which end the old ones."""
    StaticDevice.objects.select_for_update().get(pk=device.pk)  # those of a second form as well
    codes = [StaticToken.random_token() for _number in range(amount)]
    device.token_set.all().delete()
    for code in codes:
        device.token_set.create(token=code)  # as a hash: `relay_portal.access.second_factors`
    return codes


def are_used(user: Any) -> bool:
    """Tell whether somebody without a code has had some, and has used them up."""
    return bool(user.staticdevice_set.filter(last_used_at__isnull=False).exists())


def sheet(codes: list[str], name: str) -> str:
    """Return what a person keeps as a file: whose codes these are, and for what."""
    day = timezone.localdate().isoformat()
    given = {"host": settings.EKIDEN_HOSTNAME, "name": name, "day": day}
    heading = _("Recovery codes of %(name)s at %(host)s, %(day)s. Each works once.") % given
    return "\n".join([heading, "", *codes, ""])
