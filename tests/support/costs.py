"""What a test may cost: dvc, training with torch, a browser and the built pipeline need a mark.

The marks are `COSTS`, described in pyproject.toml; `make test-fast` runs the tests without any
of them. tests/conftest.py registers the running test here, and every cost that its marks do not
allow is a failure, so that the fast tests stay fast.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

COSTS = ("dvc", "torch", "pipeline", "browser", "faults")
# Marks that include a cost: the pipeline is built by dvc, and a stage of it trains.
INCLUDES = {"pipeline": {"dvc", "torch"}, "faults": {"dvc", "torch", "pipeline"}}
# Commands that start dvc themselves.
STARTERS = {"merge-lock", "pull", "push", "repro", "verify"}

_test: str | None = None
_allowed: set[str] = set()


def begin(test: str | None, marks: set[str]) -> None:
    """Register the test that starts and its marks; None between two tests."""
    global _test, _allowed
    _test = test
    _allowed = marks.union(*(INCLUDES.get(mark, set()) for mark in marks))


def spend(cost: str, action: str) -> None:
    """Fail if the running test has no mark for this cost.

    Fixtures of a session or a module run inside the first test that requests them.
    """
    if _test is not None and cost not in _allowed:
        raise AssertionError(f"{_test} {action}; mark it with pytest.mark.{cost}")


def starts_dvc(command: object) -> bool:
    """Return whether a command line starts dvc.

    >>> starts_dvc(["/usr/bin/python", "-m", "dvc", "status"]), starts_dvc(["git", "dvc"])
    (True, False)
    >>> starts_dvc(["python", "-m", "fonoteka", "repro", "--jobs", "2"])
    True
    """
    if not isinstance(command, list | tuple):
        return False
    words = [str(word) for word in command]
    modules = {word for flag, word in pairwise(words) if flag == "-m"}
    commands = {word for module, word in pairwise(words) if module == "fonoteka"}
    return (
        "dvc" in modules
        or bool(STARTERS & commands)
        or any(Path(word).name == "dvc_child.py" for word in words[:4])
        or Path(words[0] if words else "").name == "dvc"
    )


def starts_browser(command: object) -> bool:
    """Return whether a command line starts chromium, or playwright's driver, which starts it.

    >>> starts_browser(["/usr/bin/chromium"]), starts_browser(["x/playwright/driver/node", "run"])
    (True, True)
    >>> starts_browser(["apt-get", "install", "chromium"])
    False
    """
    if not isinstance(command, list | tuple) or not command:
        return False
    program = Path(str(command[0]))
    return program.name == "chromium" or "playwright" in program.parts


def _audit(event: str, arguments: Sequence[object]) -> None:
    if event != "subprocess.Popen":
        return
    if starts_dvc(arguments[1]):
        spend("dvc", "starts dvc")
    if starts_browser(arguments[1]):
        spend("browser", "starts a browser")


def watch() -> None:
    """Watch this process from now on for commands that start dvc or a browser."""
    sys.addaudithook(_audit)


def watch_torch() -> None:
    """Count training and exporting by torch once torch is loaded; to be called per test."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "autograd"):
        return
    _count(torch.autograd, "backward", "trains with torch")
    if (onnx := sys.modules.get("torch.onnx")) is not None:
        _count(onnx, "export", "exports with torch")


def _count(module: object, name: str, action: str) -> None:
    function = getattr(module, name)
    if hasattr(function, "__wrapped__") and function.__module__ == __name__:
        return

    @functools.wraps(function)
    def counted(*arguments, **options):
        spend("torch", action)
        return function(*arguments, **options)

    counted.__module__ = __name__
    setattr(module, name, counted)


@functools.cache
def marks_of(path: Path) -> frozenset[str]:
    """Return the marks that a test file gives to all of its tests, from its source alone."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    values = (
        node.value
        for node in body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
    )
    return frozenset(name for value in values for name in _mark_names(value))


def _mark_names(value: ast.expr) -> Iterator[str]:
    """Yield `x` for each `pytest.mark.x` in an expression."""
    for node in ast.walk(value):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pytest.mark":
            yield node.attr
