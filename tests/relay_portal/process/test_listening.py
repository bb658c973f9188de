"""The doctor tells where somebody listens, whatever settings say."""

import os
import pwd
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from relay_portal.doctor import machine
from relay_portal.doctor.finding import Level
from relay_portal.process import listening, readiness


@pytest.fixture
def bound():
    made = []

    def at(address):
        taken = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        made.append(taken)
        taken.bind((address, 0))
        taken.listen()
        return taken.getsockname()[1]

    yield at
    for each in made:
        each.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "0.0.0.0", "::1", "::"])
def test_the_kernel_tells_each_address(bound, address):
    assert [str(each) for each in listening.addresses(bound(address))] == [address]


def test_a_connection_is_no_listener(bound):
    port = bound("127.0.0.1")
    with socket.create_connection(("127.0.0.1", port)) as client:
        assert listening.addresses(client.getsockname()[1]) == []


@pytest.mark.parametrize(
    ("address", "level"),
    [("127.0.0.1", Level.GOOD), ("0.0.0.0", Level.WARNING), ("::", Level.WARNING)],
)
def test_an_open_portal_is_told_though_settings_say_otherwise(
    bound, address, level, settings, monkeypatch
):
    monkeypatch.setattr(readiness, "greets", lambda _: True)
    settings.EKIDEN_SUBMISSION_PORT, settings.EKIDEN_PORTAL_PORT = (
        bound("127.0.0.1"),
        bound(address),
    )
    for name in ("SUBMISSIONS", "MX", "SANDBOX"):
        setattr(settings, f"EKIDEN_{name}_PORT", 0)
    settings.EKIDEN_BIND = "127.0.0.1"
    [portal] = [finding for finding in machine.ports() if "(portal)" in finding.text]
    assert portal.level is level and str(address) in portal.text
    assert ("open to the network" in portal.text) is (level is Level.WARNING)


@pytest.mark.parametrize("address", ["127.0.0.1"])
def test_a_portal_that_listens_elsewhere_than_the_settings_say_is_told_as_it_is(
    bound, address, settings, monkeypatch
):
    monkeypatch.setattr(readiness, "greets", lambda _: True)
    monkeypatch.setattr(readiness, "is_open", lambda _: True)
    settings.EKIDEN_BIND, settings.EKIDEN_PORTAL_PORT = "0.0.0.0", bound(address)
    assert f"127.0.0.1:{settings.EKIDEN_PORTAL_PORT} (portal): {me()}" in [
        finding.text for finding in machine.ports()
    ]


def me():
    return (
        f"{Path('/proc/self/comm').read_text().strip()} (pid {os.getpid()}, user "
        f"{pwd.getpwuid(os.getuid()).pw_name})"
    )


def test_who_holds_a_port_of_an_address_is_named(bound):
    everywhere, here = bound("0.0.0.0"), bound("127.0.0.1")
    for port, at in ((everywhere, "127.0.0.1"), (here, "127.0.0.1"), (here, "0.0.0.0")):
        assert [str(holder) for holder in listening.holders(port, at)] == [me()]
    assert listening.holders(here, "127.9.9.9") == []


def test_a_connection_that_holds_a_port_is_named_too(bound):
    with socket.create_connection(("127.0.0.1", bound("127.0.0.1"))) as client:
        assert me() in map(
            str, listening.holders(client.getsockname()[1], "127.0.0.1")
        )  # others may have the same to elsewhere


@pytest.fixture
def proc(tmp_path):
    """Return another /proc, which knows what listens when it is asked to look, and no process."""
    (tmp_path / "net").mkdir()

    def look():
        (tmp_path / "net" / "tcp").write_bytes(Path("/proc/net/tcp").read_bytes())
        return tmp_path

    return look


def test_of_a_process_that_may_not_be_looked_into_the_user_is_known(bound, proc):
    port = bound("127.0.0.1")
    [holder] = listening.holders(port, "127.0.0.1", proc=proc())
    assert str(holder) == f"a process of the user {pwd.getpwuid(os.getuid()).pw_name}"


def test_the_name_of_a_process_is_a_strangers_text(bound, proc):
    port, folder = bound("127.0.0.1"), proc() / "7" / "fd"
    folder.mkdir(parents=True)
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            (folder / each.name).symlink_to(os.readlink(each))
    (folder.parent / "comm").write_text("evil\x1b[2J\n")
    [holder] = listening.holders(port, "127.0.0.1", proc=folder.parents[1])
    assert (holder.pid, holder.name) == (7, r"evil\u001b[2J")
