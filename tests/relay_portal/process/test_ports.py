"""Before a start: all ports that cannot be used, in one line, with the advice that fits."""

import os
import socket

import pytest

from relay_portal.process import ports
from tests.ports import free_port


@pytest.fixture(autouse=True)
def free(settings):
    settings.EKIDEN_BIND = "127.0.0.1"
    for name in ports.NAMES:
        setattr(settings, f"EKIDEN_{name}_PORT", free_port())


def test_free_ports_need_no_words():
    assert ports.complaint() == ""


def test_every_taken_port_is_in_one_line(settings):
    taken = [
        socket.create_server(("127.0.0.1", getattr(settings, f"EKIDEN_{name}_PORT")))
        for name in ports.NAMES
    ]
    complaint = ports.complaint()
    for each in taken:
        assert f"127.0.0.1:{each.getsockname()[1]} (EKIDEN_" in complaint
        assert f"{each.getsockname()[1]} is held by " in complaint
        each.close()
    assert complaint.count("cannot be used: Address already in use.") == 1
    assert (
        complaint.count("or end what is using it") == 1
        and "1024" not in complaint
        and "\n" not in complaint
    )


def test_a_port_that_is_switched_off_is_not_looked_at(settings):
    with socket.create_server(("127.0.0.1", settings.EKIDEN_MX_PORT)):
        settings.EKIDEN_MX_PORT = 0
        assert ports.complaint() == ""


def test_an_address_of_another_machine_is_told_as_such(settings):
    settings.EKIDEN_BIND = "192.0.2.1"
    assert "Set EKIDEN_BIND to an address of this machine." in ports.complaint()


@pytest.mark.skipif(os.getuid() == 0, reason="root may listen on any port")
def test_a_low_port_needs_a_capability_and_only_then_that_is_said(settings):
    settings.EKIDEN_MX_PORT = 25
    assert (
        "Below 1024 a service needs CAP_NET_BIND_SERVICE; or set EKIDEN_MX_PORT."
        in ports.complaint()
    )
