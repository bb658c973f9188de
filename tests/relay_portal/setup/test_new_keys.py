"""An operator has new keys made, and each process says what it misses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as in_force
from django.core.management import CommandError
from django.db import connection

from domains.foundation.secrets.keyring import KeyRingError
from domains.models import SigningKey
from domains.operations import starting
from relay_portal.management.commands import setup
from relay_portal.management.commands.setup import Command as SetUp
from relay_portal.models import User
from relay_portal.servers.embedded import EmbeddedPostgres
from relay_portal.setup import first_keys
from tests.commands import ekiden
from tests.ports import free_port
from tests.relay_portal.setup.test_first_keys import made, refused, signing_key

pytestmark = pytest.mark.usefixtures("db")


def test_a_new_secret_key_is_made_when_an_operator_says_so(machine, settings):
    data = machine("a")
    first_keys.settle()
    before = settings.SECRET_KEY
    (data / "keys" / "secret-key").unlink()  # the way of older versions
    machine("a")
    with refused("--new-secret-key"):
        starting.examine()
    first_keys.renew_secret()
    machine("a")
    starting.examine()
    assert settings.SECRET_KEY not in ("", before)
    assert (data / "keys" / "secret-key").stat().st_mode & 0o777 == 0o600


def test_a_new_secret_key_of_the_environment_is_taken_when_an_operator_says_so(machine, settings):
    settings.HAS_SECRET_KEY_FROM_ENVIRONMENT = True
    in_force.SECRET_KEY = "the first"
    first_keys.settle()
    with refused("still has the old value"):
        first_keys.renew_secret()
    in_force.SECRET_KEY = "the second"
    with refused("in EKIDEN_SECRET_KEY is not that"):
        starting.examine()
    first_keys.renew_secret()
    starting.examine()
    assert made(machine("a")) == []


def test_a_new_ring_replaces_a_lost_one_and_its_keys(machine):
    data = machine("a")
    first_keys.settle()
    old = signing_key()
    with refused("There is a key ring in"):
        first_keys.renew_ring()
    (data / "keys" / "ring").unlink()
    assert first_keys.renew_ring() == [old.domain.name]
    starting.examine()
    assert [key.domain for key in SigningKey.objects.waiting()] == [old.domain]
    assert SigningKey.objects.get(pk=old.pk).state == "retired"


def test_setup_says_what_an_operator_changed_and_what_to_do(machine, monkeypatch):
    monkeypatch.setattr(SetUp, "_migrate", lambda _: None)
    User.objects.create_superuser("otto", password="x")
    assert "Copy the folder keys to all machines" in ekiden("setup", "--new-secret-key")
    assert ekiden("setup") == ""


def test_a_database_of_another_installation_is_refused_before_it_is_migrated(machine, monkeypatch):
    first_keys.settle()
    machine("b")
    monkeypatch.setattr(SetUp, "_migrate", lambda _: pytest.fail("it was changed"))
    monkeypatch.setattr(setup, "state_folder", lambda _: Path("/var/lib/ekiden-left"))
    monkeypatch.setattr(setup.processes, "embedded_servers", lambda: [EmbeddedPostgres(Path("/x"))])
    monkeypatch.setattr(SetUp, "_wait_for_servers", lambda _: None)
    with pytest.raises(CommandError, match=r"no secret key .*/var/lib/ekiden-left\. .*remove that"):
        ekiden("setup")


def test_a_ring_that_cannot_be_read_is_one_line_too(machine):
    data = machine("a")
    first_keys.settle()
    (data / "keys" / "ring").write_text("")
    with pytest.raises(KeyRingError, match="is empty; restore it"):
        starting.examine()


# --- every process, as it is run ------------------------------------------------------------------
PROCESSES = {
    "listener": ["manage.py", "smtp_listener"],
    "worker": ["manage.py", "rqworker", "deliveries"],
    "maintenance": ["manage.py", "rqworker", "maintenance"],
    "scheduler": ["manage.py", "scheduler"],
    "sandbox": ["manage.py", "sandbox_mx"],
    "portal": ["-m", "gunicorn", "--config", "relay_portal/gunicorn.py"],
    "setup": ["manage.py", "setup"],
}


def run(words, data, **environment):
    ports = {
        f"EKIDEN_{name}_PORT": str(free_port())
        for name in ("SUBMISSION", "SUBMISSIONS", "MX", "PORTAL", "SANDBOX")
    }
    url = os.environ["DATABASE_URL"].replace("@/ekiden?", f"@/{connection.settings_dict['NAME']}?")
    env = os.environ | ports | {"DATABASE_URL": url, "EKIDEN_DATA": str(data)} | environment
    return subprocess.run(
        [sys.executable, *words], env=env, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.usefixtures("mail_db")
@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("key", ["", "made up here"])
def test_each_process_ends_in_one_line_and_makes_nothing(name, key, tmp_path):
    ended = run(PROCESSES[name], tmp_path, EKIDEN_SECRET_KEY=key)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1), ended.stderr
    assert "secret key" in ended.stderr and "copy the folder keys" in ended.stderr
    assert made(tmp_path) == []
