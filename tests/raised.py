"""Finds the sentences with which a module raises its errors."""

import ast
import inspect


def sentences(module, *errors):
    """Yield each, with an x for what is put in."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in errors and node.args:
            yield from _text(node.args[-1] if "BadLine" in errors else node.args[0])


def _text(node):
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(
                str(each.value) if isinstance(each, ast.Constant) else "x" for each in parts
            )
