"""`./ekiden test`: what fails in the crowd runs again alone, and is named."""

import pytest

from relay_portal.management.commands import test

NEVER = "def test_never():\n    assert False\n"
ONCE = """
from pathlib import Path

def test_once():
    first = not Path("seen").exists()
    Path("seen").touch()
    assert not first
"""


@pytest.fixture
def run(tmp_path, settings, monkeypatch, capfd):
    settings.BASE_DIR = tmp_path
    # They are tests of nothing of ours.
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(test, "LINT", ())
    monkeypatch.setattr(test, "STAGES", (("-k", "not outside"), ("-k", "outside")))

    def run(*files):
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        (tmp_path / "test_outside.py").write_text("def test_outside(): pass\n")
        for number, text in enumerate(files):
            (tmp_path / f"test_{number}.py").write_text(text)
        status = test.Command().run([])
        return status, capfd.readouterr().err

    return run


def test_a_test_that_passes_alone_fails_nothing_and_is_named(run):
    status, said = run(ONCE)
    assert status == 0
    assert "Failed, and run again alone: test_0.py::test_once" in said
    assert said.rstrip().endswith("Failed once, and passed alone: test_0.py::test_once")


def test_a_test_that_fails_twice_fails_the_run(run):
    status, said = run(NEVER, ONCE)
    assert status == 1
    assert "Failed: -k not outside" in said
    assert "passed alone" not in said


def test_many_failures_are_no_matter_of_the_moment(run):
    status, said = run(*[ONCE.replace("seen", f"seen{number}") for number in range(6)])
    assert status == 1
    assert "run again" not in said


def test_what_cannot_be_collected_fails_the_run(run):
    status, _ = run("import nothing_of_that_name\n")
    assert status == 1


def test_what_failed_in_an_earlier_run_is_not_taken_for_what_failed_now(run, tmp_path):
    assert run(NEVER)[0] == 1
    (tmp_path / "conftest.py").write_text("raise SystemExit(1)\n")  # it ends before any test
    (tmp_path / "test_0.py").write_text("def test_never(): pass\n")
    status, said = run()
    assert status == 1
    assert "run again" not in said


def test_a_setting_of_a_service_stays_away_and_what_a_test_asks_for_reaches_it(run, monkeypatch):
    monkeypatch.setenv("EKIDEN_HOSTNAME", "relay.example.com")
    monkeypatch.setenv("DATABASE_URL", "postgres:///mine")
    monkeypatch.setenv("EKIDEN_LANES", "20000")
    status, _ = run("""
import os

def test_environment():
    assert os.environ["EKIDEN_LANES"] == "20000"
    assert not {"EKIDEN_HOSTNAME", "DATABASE_URL"} & os.environ.keys()
""")
    assert status == 0
