"""No test judges by the clock: how long something takes says how busy the machine is."""

import ast
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent
CLOCKS = {
    f"time.{name}" for name in ("monotonic", "perf_counter", "process_time", "thread_time", "time")
}
# Compares two sizes within one run; calls an input a hang after many seconds.
ALLOWED = {"cost.py", "fuzz/__main__.py"}


def reads_clock(node, timed):
    """Tell whether the expression holds a clock's call, or a name that was made from one."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and ast.unparse(part.func) in CLOCKS:
            return True
        if isinstance(part, ast.Name) and part.id in timed:
            return True
    return False


def judged(tree):
    """Yield the lines of asserts that something took less than so long."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        timed = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.BinOp)
            and reads_clock(node.value, ())
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Assert):
                yield from (
                    compare.lineno
                    for compare in ast.walk(node.test)
                    if is_upper_bound(compare, timed)
                )


def is_upper_bound(node, timed):
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    return any(
        (
            isinstance(op, ast.Lt | ast.LtE)
            and reads_clock(small, timed)
            and not reads_clock(large, timed)
        )
        or (
            isinstance(op, ast.Gt | ast.GtE)
            and reads_clock(large, timed)
            and not reads_clock(small, timed)
        )
        for small, op, large in zip(sides, node.ops, sides[1:], strict=False)
    )


@pytest.mark.parametrize(
    "path", sorted(TESTS.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTS))
)
def test_nothing_is_said_to_be_quick_by_the_clock(path):
    if str(path.relative_to(TESTS)) in ALLOWED:
        pytest.skip("compares sizes within one run, or finds hangs")
    assert list(judged(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "code",
    [
        "assert time.monotonic() - begun < 1",
        "took = time.perf_counter() - begun\n    assert took <= 1",
        "assert 1 > time.time() - begun",
    ],
)
def test_a_test_that_judges_by_the_clock_is_found(code):
    assert list(judged(ast.parse(f"def test():\n    {code}\n")))


@pytest.mark.parametrize(
    "code", ["assert time.monotonic() < until, 'still not'", "assert time.monotonic() - begun > 1"]
)
def test_a_limit_of_waiting_and_a_lower_bound_are_no_judgement(code):
    assert not list(
        judged(ast.parse(f"def test():\n    until = time.monotonic() + 30\n    {code}\n"))
    )


def test_hypothesis_judges_by_no_clock_either():
    assert settings.default.deadline is None
    assert HealthCheck.too_slow in settings.default.suppress_health_check
