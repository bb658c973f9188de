"""The units of deploy/, read against the code that they start. tests/outside/test_units.py boots
them.
"""

import ast
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).parent.parent
UNITS = sorted(ROOT.glob("deploy/*.service"))
SERVICES = [unit for unit in UNITS if unit.name != "ekiden-setup.service"]

# What @resources and @privileged of systemd.exec(5) hold, by the names that Python has for it.
FORBIDDEN = {
    "nice", "setpriority", "sched_setaffinity", "sched_setscheduler", "sched_setparam", "setrlimit",
    "chown", "fchown", "lchown",
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "initgroups",
    "chroot", "sethostname",
    "clock_settime",
}  # fmt: skip
ONLY_WITHOUT_SYSTEMD = {
    "embedded.py",
    "system_account.py",
    "places.py",
    "parent_guard.py",
    "processes.py",
    "supervision.py",
}  # `up` and its servers


def settings(unit):
    """Return every value of each key, in their order."""
    found = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def only(unit, key):
    (value,) = settings(unit).get(key, [None])
    return value


def by_name(unit):
    return unit.stem


@pytest.mark.parametrize("unit", UNITS, ids=by_name)
def test_what_a_unit_starts_exists(unit):
    python, *words = shlex.split(only(unit, "ExecStart"))
    assert python == "/opt/ekiden/.venv/bin/python"
    if words[0] == "-m":
        assert find_spec(words[1])
    else:
        assert words[0] == "/opt/ekiden/manage.py"
        assert words[1] in get_commands()


@pytest.mark.parametrize("unit", SERVICES, ids=by_name)
def test_a_service_is_started_when_it_says_so(unit):
    assert only(unit, "Type") == "notify"


@pytest.mark.parametrize(
    "unit", [unit for unit in SERVICES if "portal" not in unit.name], ids=by_name
)
def test_a_service_that_hangs_is_noticed(unit):
    """The portal's own parent process looks after its workers."""
    assert int(only(unit, "WatchdogSec")) >= 60


@pytest.mark.parametrize("unit", UNITS, ids=by_name)
def test_the_journal_knows_a_unit_by_its_name(unit):
    assert only(unit, "SyslogIdentifier") == unit.stem.rstrip("@")


@pytest.mark.parametrize("unit", UNITS, ids=by_name)
def test_a_unit_that_ends_at_once_again_and_again_becomes_failed(unit):
    start = 5  # seconds of a slow machine until a process has read its settings
    burst, interval = int(only(unit, "StartLimitBurst")), int(only(unit, "StartLimitIntervalSec"))
    assert burst * (int(only(unit, "RestartSec")) + start) < interval
    assert only(unit, "Restart") in {"always", "on-failure"}


def test_the_set_up_may_wait_for_its_servers_again_and_again():
    from relay_portal.management.commands.setup import PATIENCE

    unit = ROOT / "deploy/ekiden-setup.service"
    assert int(only(unit, "StartLimitBurst")) * PATIENCE > int(only(unit, "StartLimitIntervalSec"))


@pytest.mark.parametrize("unit", UNITS, ids=by_name)
def test_a_unit_forbids_what_the_code_is_searched_for(unit):
    assert settings(unit)["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]
    assert only(unit, "SystemCallErrorNumber") == "EPERM"


def foresees(node):
    """Tell whether an `OSError` of what stands within it is caught."""
    if isinstance(node, ast.With):
        caught = [
            ast.unparse(item.context_expr)
            for item in node.items
            if "suppress(" in ast.unparse(item.context_expr)
        ]
    elif isinstance(node, ast.Try):
        caught = [ast.unparse(handler.type) for handler in node.handlers if handler.type]
    else:
        return False
    return any(re.search(r"\b(OSError|PermissionError)\b", one) for one in caught)


def refused_calls(tree):
    """Yield calls that a unit refuses, but for those where a refusal is foreseen."""
    foreseen = {id(inner) for node in ast.walk(tree) if foresees(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in FORBIDDEN
            and id(node) not in foreseen
        ):
            yield f"{node.lineno}: {ast.unparse(node)}"


def served():
    packages = (
        "domains",
        "suppressions",
        "deliveries",
        "smtp_listener",
        "relay_portal",
    )
    return [
        path
        for name in packages
        for path in (ROOT / name).rglob("*.py")
        if path.name not in ONLY_WITHOUT_SYSTEMD
    ]


@pytest.mark.parametrize("path", served(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_process_needs_what_its_unit_forbids(path):
    assert list(refused_calls(ast.parse(path.read_text(encoding="utf-8")))) == []


def test_a_call_that_a_unit_refuses_is_found():
    assert list(refused_calls(ast.parse("import os\nos.nice(10)"))) == ["2: os.nice(10)"]
    assert list(refused_calls(ast.parse("with suppress(KeyError):\n    os.nice(10)"))) == [
        "2: os.nice(10)"
    ]
    assert list(refused_calls(ast.parse("with suppress(OSError):\n    os.nice(10)"))) == []
    assert (
        list(
            refused_calls(
                ast.parse("try:\n    os.nice(10)\nexcept (ValueError, OSError):\n    pass")
            )
        )
        == []
    )
