import time
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from rq import Worker
from rq.executions import Execution

from deliveries.backends.job_queues import MAINTENANCE, queue
from deliveries.jobs import schedule
from deliveries.jobs import worker as workers
from domains.foundation.rights import Role
from relay_portal.access import fresh_factor, invitations
from relay_portal.models import User
from tests.deliveries import make
from tests.deliveries.jobs.attacks import work
from tests.relay_portal.portal.rows import LEARN, SWEEP

PASSWORD = "a long enough password 42"
INVITATION = "/account/invitation/"


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    """Use a quick password hash: a real one costs half a second, and how strong it is is Django's
    to test.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def person(name="otto", *, operator=True, projects=(), enrolled=True, **given):
    """Make an owner of the whole installation, or support staff of projects, or what `given`
    says.
    """
    given = {
        "role": Role.OWNER if operator else Role.SUPPORT,
        "is_limited": not operator,
        **given,
    }
    user = User.objects.create_user(name, password=PASSWORD, is_staff=True, **given)
    user.projects.set(projects)
    if enrolled:
        TOTPDevice.objects.create(user=user, name="default")
        user.enrolled_at = timezone.now()
        user.save()
    return user


def verified(user):
    """Return a client whose session has its second factor."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = user.totpdevice_set.get().persistent_id
    session[fresh_factor.SHOWN_AT] = time.time()
    session.save()
    return client


def invited(user):
    """Return a client that opened its invitation and chose the password; the second factor comes
    next.
    """
    client = Client()
    _invitation, token = invitations.invite(user, by="olga")
    client.get(f"/account/invitation/{token}/")
    client.post(INVITATION, {"new_password1": PASSWORD, "new_password2": PASSWORD})
    return client


def password_only(user):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def code(device):
    """Return what its app shows now."""
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


@pytest.fixture
def browser(mail_db):
    return verified(person())


@pytest.fixture
def real(valkey, monkeypatch):
    """Make a job in each state, by a worker and the scheduler themselves."""

    def breaks():
        raise RuntimeError("the disk is <full>")

    monkeypatch.setitem(workers.FUNCTIONS, SWEEP, lambda: None)
    monkeypatch.setitem(workers.FUNCTIONS, LEARN, breaks)
    monkeypatch.setattr(
        workers, "close_old_connections", lambda: None
    )  # the test's own, with its transaction
    waiting = queue(MAINTENANCE, valkey)
    made = {
        "finished": waiting.enqueue(SWEEP, result_ttl=500),
        "failed": waiting.enqueue(LEARN, failure_ttl=500),
    }
    work(valkey)
    made["queued"] = waiting.enqueue(SWEEP)
    made["scheduled"] = waiting.enqueue_in(timedelta(hours=1), SWEEP)
    made["started"] = waiting.enqueue(SWEEP)
    waiting.remove(made["started"])
    made["started"].set_status("started")
    with valkey.pipeline() as pipe:
        Execution.create(job=made["started"], ttl=500, pipeline=pipe)
        pipe.execute()
    Worker([waiting], connection=valkey, name="box-1").register_birth()
    built = schedule.scheduler()
    built.register_birth()
    return made | {"scheduler": built.name}


@pytest.fixture
def project():
    return make.project(name="shop")


@pytest.fixture
def staff(project):
    return verified(person("sue", operator=False, projects=[project]))
