"""One service and its peers for all journeys: Postfix and Exim as MX hosts, found through DNS, and
a recorder.
"""

import pytest

from tests.fakes.certificates import self_signed
from tests.fakes.dns import FakeDns
from tests.fakes.mx import FakeMx
from tests.journeys import peers
from tests.journeys.rig import SENDER, Rig
from tests.journeys.service import up
from tests.ports import free_port

ADDRESSES = {
    "postfix.test": "127.0.0.2",
    "exim.test": "127.0.0.3",
    "recorder.test": "127.0.0.4",
    SENDER: "127.0.0.4",
}


@pytest.fixture(scope="session")
def port():
    """Return the port of all MX hosts."""
    return free_port(*set(ADDRESSES.values()))


@pytest.fixture(scope="session")
def recorder(port, tmp_path_factory):
    """Yield an MX that notes every byte; it offers no CHUNKING, so that the dots are seen."""
    tls = self_signed(tmp_path_factory.mktemp("recorder"), "mx.recorder.test")
    offers = ("PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
    with FakeMx(extensions=offers, tls=tls, host=ADDRESSES["recorder.test"], port=port) as mx:
        yield mx


@pytest.fixture(scope="session")
def zones():
    """Return what DNS says; a module may add its own."""
    zones: dict = {domain: {"MX": [(10, f"mx.{domain}")]} for domain in ADDRESSES}
    return zones | {f"mx.{domain}": {"A": [address]} for domain, address in ADDRESSES.items()}


@pytest.fixture(scope="session")
def rig(port, recorder, zones):
    with FakeDns(zones) as dns, Rig(dns.url, port) as rig:
        yield rig


@pytest.fixture(scope="session")
def postfix(rig, port):
    peers.need("postfix")
    with peers.Postfix(ADDRESSES["postfix.test"], port, "postfix.test") as server:
        server.start(rig)
        yield server


@pytest.fixture(scope="session")
def exim(rig, port):
    peers.need(peers.EXIM)
    with peers.Exim(ADDRESSES["exim.test"], port, "exim.test") as server:
        server.start(rig)
        yield server


@pytest.fixture(scope="module")
def service():
    with up(
        terminal=True, EKIDEN_LISTENERS="1", EKIDEN_WORKERS="1", EKIDEN_SUBMISION_PORT="1"
    ) as running:
        yield running
