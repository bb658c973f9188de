"""Links of the docs lead somewhere, no registry is named, units run what there is."""

import re
import shutil
import subprocess

import pytest

from tests.test_docs import PAGES, REGISTRIES, ROOT, UNITS, parser_of


# --- the pages themselves -------------------------------------------------------------------------
def anchors(path):
    titles = re.findall(
        r"^#+ (.+)$",
        re.sub(
            r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
        ),
        re.MULTILINE,
    )
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links():
    for path in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            if not target.startswith(("http:", "https:")):
                yield path.relative_to(ROOT), target


@pytest.mark.parametrize(("path", "target"), [*links()], ids=str)
def test_a_link_leads_somewhere(path, target):
    file, _, anchor = target.partition("#")
    there = (ROOT / path.parent / file) if file else ROOT / path
    assert there.exists()
    assert not anchor or anchor in anchors(there)


SHIPPED = [
    *PAGES,
    *ROOT.glob("requirements*.txt"),
    *ROOT.glob("deploy/*"),
    ROOT / "pyproject.toml",
    ROOT / "ekiden",
]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_no_registry_is_named(path):
    assert not REGISTRIES.search(path.read_text(encoding="utf-8"))


# --- the units ------------------------------------------------------------------------------------
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_what_there_is(unit):
    started = re.search(r"^ExecStart=(.+)$", unit.read_text(), re.MULTILINE)[1]
    manage = re.search(r"manage\.py (.+)$", started)
    if manage is None:
        assert "gunicorn --config /opt/ekiden/relay_portal/gunicorn.py" in started
    else:
        command, *arguments = manage[1].split()
        parser_of(command).parse_args(arguments)


def test_the_units_are_the_processes_that_up_runs():
    from relay_portal.process import processes

    services = {process.name for process in processes.table() if process.is_service}
    assert {
        unit.name.removeprefix("ekiden-").partition(".")[0].rstrip("@") for unit in UNITS
    } == services | {"setup"}


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="the Debian package systemd is not installed"
)
def test_systemd_takes_the_units(tmp_path):
    for file in [*UNITS, ROOT / "deploy/ekiden.target"]:
        (tmp_path / file.name).write_text(
            file.read_text().replace("/opt/ekiden/.venv/bin/python", "/bin/true")
        )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *tmp_path.iterdir()],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
