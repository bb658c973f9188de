"""The sizes of docs/architecture.md: a module holds one idea, and can be read at one sitting."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST = 300  # lines
PACKAGES = (
    "domains", "suppressions", "deliveries", "smtp_listener", "relay_portal", "bench", "tests",
)  # fmt: skip
# Modules that are still to be cut; nothing may join them.
TOO_LONG: frozenset[str] = frozenset()


def modules():
    return [
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in path.parts
    ]


def length(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def too_long(paths):
    return {str(path.relative_to(ROOT)) for path in paths if length(path) > MOST}


def test_no_module_is_longer_than_can_be_read_at_one_sitting():
    assert too_long(modules()) - TOO_LONG == set()


def test_a_long_module_is_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "long.py").write_text("x = 1\n" * (MOST + 1))
    (tmp_path / "short.py").write_text("x = 1\n" * MOST)
    assert too_long(tmp_path.glob("*.py")) == {"long.py"}
