"""Two requests at once cannot do together what neither may do alone."""

import threading
from contextlib import suppress

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from domains.foundation.rights import Role
from relay_portal.models import User
from tests.deliveries.stage import in_thread
from tests.deliveries.steering.test_two_workers import held_up, is_held_up
from tests.relay_portal.portal.conftest import person, verified

pytestmark = pytest.mark.usefixtures("mail_db")


def make_operator(user):
    user.role = Role.OPERATOR
    with suppress(ValidationError), transaction.atomic():
        user.check_an_owner_remains()
        user.save(update_fields=["role"])


def test_two_owners_cannot_take_each_others_role():
    first, second = person("olga"), person("otto")
    other = threading.Thread(target=in_thread, args=[lambda: make_operator(second)])
    with transaction.atomic():
        make_operator(first)
        other.start()
        while other.is_alive() and not is_held_up():
            pass
    other.join()
    assert User.objects.local_owners().get() == second


def test_two_factors_cannot_be_removed_at_once():
    user = person()
    browsers = [verified(user), verified(user)]
    TOTPDevice.objects.create(user=user, name="default")

    def remove(browser, device):
        browser.post(f"/account/security/remove/{device.persistent_id}/")

    with transaction.atomic():
        devices = list(TOTPDevice.objects.select_for_update())
        others = [
            threading.Thread(target=in_thread, args=[lambda each=each: remove(*each)])
            for each in zip(browsers, devices, strict=True)
        ]
        for other in others:
            other.start()
        while any(other.is_alive() for other in others) and held_up() < len(others):
            pass
    for other in others:
        other.join()
    assert TOTPDevice.objects.count() == 1
