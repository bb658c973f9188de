import pytest

from deliveries.smtp import tls
from tests.fakes.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusting(authority, monkeypatch, settings, tmp_path):
    """Trust the authority of the tests as the system's, with a data folder of the test's own."""
    monkeypatch.setenv("SSL_CERT_FILE", authority.bundle)
    tls.context_for.cache_clear()
    settings.EKIDEN_DATA = tmp_path
    yield
    tls.context_for.cache_clear()
