"""One class name, one meaning: no class of the product shares its name with another, whether it
stands in a module, in a class or in a function.
"""

import ast
from collections import defaultdict
from pathlib import Path

from django.conf import settings

APPS = ("relay_portal", "deliveries", "domains", "suppressions", "smtp_listener", "bench")
DJANGOS = {"Command", "Migration", "Meta", "Media"}


def twice(trees: dict[str, ast.AST]) -> dict[str, list[str]]:
    """Return where each name is that is given to more than one class."""
    found = defaultdict(list)
    for file, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name not in DJANGOS:
                found[node.name].append(f"{file}:{node.lineno}")
    return {name: places for name, places in found.items() if len(places) > 1}


def test_no_two_classes_share_a_name():
    root = Path(settings.BASE_DIR)
    files = [file for app in APPS for file in (root / app).rglob("*.py")]
    assert len(files) > 300
    assert twice({str(file.relative_to(root)): ast.parse(file.read_text()) for file in files}) == {}


def test_a_second_one_is_found_wherever_it_stands():
    trees = {
        "a.py": ast.parse("class Source:\n class State: pass"),
        "b.py": ast.parse("class Key:\n class State: pass"),
        "c.py": ast.parse("def made():\n class State: pass"),
    }
    assert twice(trees) == {"State": ["a.py:2", "b.py:2", "c.py:2"]}
