"""One class name, one meaning: a class of a module has its name alone. The classes inside models
are told apart by their model (`Source.State`, `SigningKey.State`).
"""

import ast
from collections import defaultdict
from pathlib import Path

from django.conf import settings

APPS = ("relay_portal", "deliveries", "domains", "suppressions", "smtp_listener", "bench")
DJANGOS = {"Command", "Migration", "Meta", "Media"}


def class_names(node: ast.AST, outer: str = ""):
    """Yield the name of each class with that of the class around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield child.name, outer
            yield from class_names(child, child.name)


def twice(trees: dict[str, ast.AST]) -> dict[str, list[str]]:
    """Return where each name is that a module's class shares with another class."""
    found = defaultdict(list)
    for file, tree in trees.items():
        for name, outer in class_names(tree):
            if name not in DJANGOS:
                found[name].append((file, outer))
    return {
        name: [f"{file} {outer}".strip() for file, outer in places]
        for name, places in found.items()
        if len(places) > 1 and not all(outer for _, outer in places)
    }


def test_a_class_of_a_module_has_its_name_alone():
    root = Path(settings.BASE_DIR)
    files = [file for app in APPS for file in (root / app).rglob("*.py")]
    assert len(files) > 300
    assert twice({str(file.relative_to(root)): ast.parse(file.read_text()) for file in files}) == {}


def test_a_second_one_is_found_inside_a_model_too():
    one, two = ast.parse("class State: pass"), ast.parse("class Source:\n class State: pass")
    assert twice({"a.py": one, "b.py": two}) == {"State": ["a.py", "b.py Source"]}
    assert twice({"b.py": two, "c.py": ast.parse("class Key:\n class State: pass")}) == {}
