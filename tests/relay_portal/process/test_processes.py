"""The table of processes as Supervisor reads it."""

import resource
import shlex

import pytest
from supervisor.options import ServerOptions

from relay_portal.process import processes
from relay_portal.servers import embedded
from smtp_listener.sessions.server import LAST_WORDS


@pytest.fixture
def read(settings, tmp_path, monkeypatch):
    """Return the programs that Supervisor finds in the configuration, by name."""
    settings.EKIDEN_DATA = tmp_path / "50% full; really"
    monkeypatch.setattr(embedded, "runtime_folder", lambda data: tmp_path)
    (settings.EKIDEN_DATA / "log").mkdir(parents=True)

    def run():
        file = tmp_path / "supervisor.conf"
        file.write_text(processes.configuration(processes.table()))
        options = ServerOptions()
        options.realize(["--configuration", str(file), "--nodaemon"])
        return {
            program.name: program
            for group in options.process_group_configs
            for program in group.process_configs
        }

    return run


def test_each_process_of_the_table_is_a_program(read, settings):
    settings.EKIDEN_LISTENERS, settings.EKIDEN_WORKERS = 2, 3
    listeners, workers = {"listener-1", "listener-2"}, {"worker-1", "worker-2", "worker-3"}
    assert (
        read().keys()
        == {"ekiden", "sandbox", "maintenance-1", "maintenance-2", "scheduler", "portal"}
        | listeners
        | workers
    )


def test_listeners_stop_first_and_have_time_to_drain(read, settings):
    settings.EKIDEN_DRAIN_SECONDS, settings.EKIDEN_LISTENERS = 90, 1
    programs = read()
    assert max(programs.values(), key=lambda program: program.priority).name == "listener"
    assert programs["listener"].stopwaitsecs > 90 + LAST_WORDS


def test_only_the_set_up_starts_by_itself_where_urls_name_the_servers(read):
    assert [name for name, program in read().items() if program.autostart] == ["ekiden"]


def test_without_urls_the_embedded_servers_come_first(read, settings):
    read()
    settings.DATABASE_URL, settings.REDIS_URL = (
        embedded.postgres_url(settings.EKIDEN_DATA),
        embedded.valkey_url(settings.EKIDEN_DATA),
    )
    programs = read()
    assert {"postgres", "valkey"} <= programs.keys()
    assert programs["postgres"].priority < programs["ekiden"].priority
    command = shlex.split(programs["postgres"].command)  # the clone's path may have a blank
    guard = command.index(str(processes.PARENT_GUARD))
    assert command[guard + 1 : guard + 3] == ["2", embedded.account() or "-"]
    assert "50% full; really" in programs["postgres"].stdout_logfile


@pytest.mark.parametrize(
    ("allowed", "asked"), [(1024, 1024), (524_288, 4096), (resource.RLIM_INFINITY, 4096)]
)
def test_supervisor_asks_for_no_more_open_files_than_are_allowed(monkeypatch, allowed, asked):
    """It ends where it gets fewer than it asks for; listeners and workers live with few."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, allowed))
    assert f"minfds = {asked}\n" in processes.configuration(processes.table())


def test_nobody_answers_for_a_service_that_is_not_up(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path
    with processes.supervisor() as supervisor:
        assert supervisor is None
