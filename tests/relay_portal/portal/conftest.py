import time

import pytest
from django.test import Client
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from relay_portal.models import User

PASSWORD = "a long enough password 42"


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    """A real password hash costs half a second, and how strong it is is Django's to test."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def person(name="otto", *, operator=True, projects=(), enrolled=True, **given):
    user = User.objects.create_user(
        name, password=PASSWORD, is_staff=True, is_superuser=operator, **given
    )
    user.projects.set(projects)
    if enrolled:
        TOTPDevice.objects.create(user=user, name="default")
        user.enrolled_at = timezone.now()
        user.save()
    return user


def verified(user):
    """A client whose session has its second factor."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = user.totpdevice_set.get().persistent_id
    session.save()
    return client


def password_only(user):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def code(device):
    """What its app shows now."""
    return f"{totp(device.bin_key, device.step, device.t0, device.digits, device.drift):06d}"


def code_of(key):
    return (
        f"{totp(bytes.fromhex(key), t0=0, step=30, digits=6, drift=0):06d}"
        if key
        else str(time.time())
    )


@pytest.fixture
def operator(db):
    return verified(person())
