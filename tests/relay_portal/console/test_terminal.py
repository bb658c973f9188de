"""A line that people paste into another terminal brings the settings along that are not there."""

import shlex

from relay_portal.console import terminal


def test_with_the_defaults_it_is_the_command_alone():
    assert (
        terminal.line("status", {"HOME": "/root", "EKIDEN_WORKERS": "2", "EKIDEN_DATA": ""})
        == "./ekiden status"
    )
    assert not terminal.has_settings({"HOME": "/root", "EKIDEN_WORKERS": "2"})


def test_settings_come_along_quoted():
    environment = {"EKIDEN_DATA": "/srv/a b; rm", "EKIDEN_MX_PORT": "25"}
    assert shlex.split(terminal.line("send a b", environment)) == [
        "EKIDEN_DATA=/srv/a b; rm", "EKIDEN_MX_PORT=25", "./ekiden", "send", "a", "b"
    ]  # fmt: skip


def test_a_relative_folder_is_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert f"EKIDEN_DATA={tmp_path}/data " in terminal.line("status", {"EKIDEN_DATA": "data"})


def test_a_secret_is_named_and_not_shown():
    environment = {
        "DATABASE_URL": "postgres://a:hidden@h/d",
        "REDIS_URL": "unix:///s?db=0&password=hidden",
        "EKIDEN_SECRET_KEY": "hidden",
    }
    assert "hidden" not in terminal.line("status", environment)
    assert terminal.secrets_needed(environment) == [
        "DATABASE_URL",
        "REDIS_URL",
        "EKIDEN_SECRET_KEY",
    ]
