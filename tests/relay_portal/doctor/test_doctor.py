"""Each trouble is found and comes with what to do."""

import os
import pwd
import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deliveries.models import Node, Source, SourceRest
from deliveries.queue import unwritten_outcomes
from deliveries.steering import pauses
from domains.models import Domain, Project
from relay_portal import doctor
from relay_portal.console import sandbox
from relay_portal.doctor import machine, mail, services
from relay_portal.doctor.finding import Level
from relay_portal.process import ports
from tests.commands import ekiden_json
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


def found(check):
    return [(finding.level, finding.text) for finding in check()]


def only(check):
    [finding] = check()
    return finding


def test_a_misspelt_setting_is_told_with_the_right_one(monkeypatch):
    monkeypatch.setenv("EKIDEN_SUBMISION_PORT", "587")
    finding = next(machine.variables())
    assert (finding.level, finding.advice) == (
        Level.WARNING,
        "Did you mean EKIDEN_SUBMISSION_PORT?",
    )


@pytest.mark.parametrize(
    ("name", "level"), [("box.localdomain", Level.WARNING), ("relay.example.com", Level.GOOD)]
)
def test_a_host_name_that_leads_nowhere_is_told(settings, name, level):
    settings.EKIDEN_HOSTNAME = name
    assert [finding.level for finding in machine.variables() if finding.name == "host name"] == [
        level
    ]


def test_keys_that_others_may_read_are_bad(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys").chmod(0o755)  # whatever the umask
    assert only(machine.data).advice == f"chmod 700 {tmp_path / 'keys'}"
    (tmp_path / "keys").chmod(0o700)
    assert only(machine.data).level is Level.GOOD


def test_a_full_disk_is_bad(monkeypatch):
    monkeypatch.setattr(machine, "LEAST_DISK", 10**18)
    assert {finding.level for finding in machine.disk()} == {Level.BAD}


def test_half_a_certificate_is_bad(settings):
    settings.EKIDEN_TLS_CERT = "/etc/cert.pem"
    assert only(machine.certificate).level is Level.BAD


def test_a_certificate_that_cannot_be_read_is_bad(settings, tmp_path):
    settings.EKIDEN_TLS_CERT = settings.EKIDEN_TLS_KEY = str(tmp_path / "none.pem")
    assert only(machine.certificate).level is Level.BAD


def test_a_port_that_another_program_holds_is_bad(settings):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        for name in ports.NAMES:  # another installation may have the default ones
            setattr(settings, f"EKIDEN_{name}_PORT", 0)
        settings.EKIDEN_PORTAL_PORT = other.getsockname()[1]
        [bad] = [finding for finding in machine.ports() if finding.level is Level.BAD]
    assert "EKIDEN_PORTAL_PORT" in bad.text
    assert (
        f"is held by {Path('/proc/self/comm').read_text().strip()} (pid {os.getpid()}, user "
        f"{pwd.getpwuid(os.getuid()).pw_name})."
    ) in bad.text


def greet_once(listener):
    with listener.accept()[0] as peer:
        peer.sendall(b"220 x\r\n")


def nothing():
    """Change nothing: the installation is live."""


def a_sandbox_of_its_own():
    Project.objects.create(name="staging", is_sandboxed=True)


@pytest.mark.parametrize(
    ("prepare", "level"),
    [(nothing, Level.GOOD), (sandbox.enter, Level.BAD), (a_sandbox_of_its_own, Level.BAD)],
)
def test_the_sandbox_may_be_gone_once_no_mail_goes_there(settings, prepare, level):
    with socket.socket() as listener, socket.socket() as closed:
        for taken in (listener, closed):
            taken.bind(("127.0.0.1", 0))
        listener.listen()
        threading.Thread(target=greet_once, args=[listener], daemon=True).start()
        settings.EKIDEN_SUBMISSION_PORT, settings.EKIDEN_SANDBOX_PORT = (
            listener.getsockname()[1],
            closed.getsockname()[1],
        )
        prepare()
        [finding] = [
            finding
            for finding in machine.ports()
            if str(settings.EKIDEN_SANDBOX_PORT) in finding.text
        ]
    assert finding.level is level


def test_an_address_that_is_not_ours_is_told_from_a_port_that_is_taken(settings):
    settings.EKIDEN_BIND, settings.EKIDEN_SUBMISSION_PORT = "192.0.2.77", 0
    assert {finding.advice for finding in machine.ports() if finding.level is Level.BAD} == {
        "Set EKIDEN_BIND to an address of this machine."
    }


def test_a_database_that_is_out_of_reach_is_bad_and_ends_the_questions_to_it(monkeypatch):
    from django.db import OperationalError, connection

    def no_cursor():
        raise OperationalError("connection refused\nmore")

    with monkeypatch.context() as broken:
        broken.setattr(connection, "cursor", no_cursor)
        bad, names = only(services.postgres), {finding.name for finding in doctor.examine()}
    assert (bad.level, bad.text) == (Level.BAD, "It is out of reach: connection refused")
    assert "workers" not in names


def test_a_postgresql_that_does_not_write_safely_is_bad():
    # The tests' own runs so, which EKIDEN_MAY_LOSE_MAIL lets processes start on.
    assert [text for _, text in found(services.postgres)] == [
        f"PostgreSQL does not write safely: {name} is off."
        for name in ("fsync", "full_page_writes")
    ]


def test_a_valkey_that_is_out_of_reach_is_bad(settings, tmp_path):
    settings.REDIS_URL = f"unix://{tmp_path}/none.sock"
    assert only(services.valkey).level is Level.BAD


def test_name_servers_that_are_none_are_bad(settings):
    settings.EKIDEN_DNS = ["name.server"]
    assert only(services.dns).advice.startswith("Such as 192.0.2.1")


def test_a_lost_key_ring_is_bad(settings, tmp_path):
    domain = Domain.objects.create(project=make.project(), name="shop.test", token="x")
    from domains.senders.keys import make_key

    make_key(domain)
    assert only(mail.keys).level is Level.GOOD
    settings.EKIDEN_DATA = tmp_path
    assert only(mail.keys).level is Level.BAD


def test_keys_of_another_installation_are_bad(settings):
    assert only(mail.own_keys_fit).level is Level.GOOD
    settings.SECRET_KEY = "another"
    assert "is not that of the installation" in only(mail.own_keys_fit).text


def test_a_queue_without_a_worker_is_bad():
    assert [level for level, _ in found(services.workers)] == [Level.BAD, Level.BAD]


def test_domains_that_nobody_verified_are_told():
    project = make.project()
    Domain.objects.create(project=project, name="new.test", token="x")
    assumed = Domain.objects.create(project=project, name="word.test", token="x")
    assumed.verify(now=datetime.now(UTC), assumed=True)
    assert [text for _, text in found(mail.domains)] == [
        "Not verified: new.test.",
        "Taken on an operator's word: word.test.",
    ]


def test_a_paused_lane_is_told_with_its_reply():
    lane = make.lane(
        paused_until=datetime.now(UTC) + timedelta(minutes=5), pause_reason="421 Too many messages"
    )
    make.delivery(lane=lane)
    assert found(mail.waiting) == [
        (Level.WARNING, "1 wait for mx.test, which is paused: 421 Too many messages")
    ]


def test_a_message_that_was_lost_is_bad():
    make.message(recipient_count=1)
    assert found(mail.waiting) == [(Level.BAD, "1 accepted recipients are neither live nor ended.")]


def test_private_networks_where_mail_may_go_are_told(settings):
    assert found(mail.private_networks) == []
    settings.EKIDEN_PRIVATE_NETWORKS = ["10.20.0.0/16"]
    assert found(mail.private_networks) == [
        (Level.WARNING, "Mail is carried into 10.20.0.0/16 where DNS says so.")
    ]
    assert "private networks" in {finding.name for finding in doctor.for_real_sending()}


def test_the_sandbox_is_told():
    assert found(mail.sandbox_route) == []
    sandbox.enter()
    assert only(mail.sandbox_route).level is Level.WARNING


def test_an_emergency_stop_is_bad_and_other_pauses_are_told():
    assert only(mail.paused).level is Level.GOOD
    pauses.stop("domain", domain="mx.test", reason="they asked", by="otto")
    pauses.stop("all", reason="a flood", by="otto")
    levels, texts = zip(*found(mail.paused), strict=True)
    assert levels == (Level.BAD, Level.WARNING)
    assert texts[0].endswith("a flood") and texts[1].startswith("mx.test (recipient domain)")


def test_a_source_that_no_machine_has_is_told_and_bad_where_it_is_the_only_one():
    assert list(mail.leaving()) == []
    Source.objects.create(name="east", ipv4="192.0.2.25")
    assert found(mail.leaving) == [
        (Level.BAD, "No machine at work has the address of the source east.")
    ]
    west = Source.objects.create(name="west", ipv4="192.0.2.26")
    Node.objects.create(name="one.test", sources=["west"])
    assert only(mail.leaving).level is Level.WARNING
    Source.objects.filter(name="east").delete()
    assert found(mail.leaving) == [(Level.GOOD, "1 in use")]
    SourceRest.objects.create(source=west, receiver="docomo", reason="blocked")
    assert "sends nothing to docomo: blocked" in only(mail.leaving).text


def test_the_command_ends_with_status_1_where_something_is_bad():
    with pytest.raises(SystemExit) as ended:
        ekiden_json("doctor")
    assert ended.value.code == 1


def test_outcomes_that_were_left_behind_are_told(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path
    assert list(machine.outcomes()) == []
    waiting = unwritten_outcomes.save(unwritten_outcomes.folder(), [])
    waiting.with_suffix(".broken").touch()
    found = list(machine.outcomes())
    assert [finding.level for finding in found] == [Level.WARNING, Level.WARNING]
    assert "1 files" in found[0].text
    assert str(waiting.with_suffix(".broken")) in found[1].text
