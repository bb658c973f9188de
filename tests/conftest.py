import sys
from fnmatch import fnmatchcase

import pytest
from hypothesis import HealthCheck, settings

import tests.emptied
import tests.static_files  # noqa: F401  (how they are found)
from tests import shares
from tests.poison import poison  # noqa: F401  (a fixture)

# hypothesis measures too how long an example takes, and how long it takes to think of one.
settings.register_profile(
    "without a clock",
    parent=settings(),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("without a clock")


def pytest_sessionstart():
    import relay_portal.urls  # noqa: F401  (the portal's pages are read with its URLs)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    if config.getoption("dist", "no") == "loadfile":
        items.sort(key=lambda item: shares.rank(item.nodeid))


def pytest_xdist_make_scheduler(config, log):
    return shares.Shares(config, log) if config.getoption("dist") == "loadfile" else None


def without_an_end(client):
    """Yield the keys that no package has written down, or that stay although they should not."""
    from domains.foundation.upkeep.retention import key_patterns

    for key in client.scan_iter(count=1000):
        name = key.decode("utf-8", "replace")
        owner = next((each for each in key_patterns() if fnmatchcase(name, each.pattern)), None)
        if owner is None or (owner.expires and client.ttl(key) == -1):
            yield name


@pytest.fixture(autouse=True)
def language_of_its_own():
    """Begin each test with the default language: a request leaves its own active in its thread."""
    from django.utils import translation

    yield
    translation.deactivate()


@pytest.fixture
def valkey():
    """Yield a client of this worker's own, empty Valkey database."""
    from django.conf import settings
    from redis import Redis

    client = Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture
def mail_db(transactional_db, valkey):
    """Yield a database that other connections see too, with the rows that migrations made."""
    from domains.foundation.secrets.fingerprints import fingerprint
    from domains.operations import own_keys

    own_keys.note(own_keys.SECRET, [fingerprint(own_keys.secret_key())])  # as `setup` does
    yield
    # Write a new key down in the `retained` module of its package.
    assert list(without_an_end(valkey)) == []


@pytest.fixture
def fuse(tmp_path, tmp_path_factory, monkeypatch):
    """Return a file that only a job which ran could have made, as `evil.run` does whatever it is
    given.
    """
    path, folder = str(tmp_path / "it-ran"), tmp_path_factory.mktemp("evil")
    (folder / "evil.py").write_text(f"def run(*_):\n    open({path!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "evil", raising=False)
    return path
