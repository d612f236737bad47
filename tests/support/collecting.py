"""Import only the files with tests or examples that this run selects.

A plugin, registered by tests/conftest.py, because the hooks of a conftest.py do not reach the
examples in docstrings of `stages`.
"""

from __future__ import annotations

from pathlib import Path

import costs
import dvc_yaml
import pytest


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path):
    """Collect examples only from files that have some.

    Otherwise pytest imports every helper of the tests and searches every test file for examples: a
    third of the collection time.
    """
    collectors = yield
    if file_path.suffix == ".py" and ">>> " not in file_path.read_text(encoding="utf-8"):
        return [each for each in collectors if type(each).__name__ != "DoctestModule"]
    return collectors


def pytest_ignore_collect(collection_path, config):
    """Skip a file without importing it if all of its tests are deselected."""
    if collection_path.suffix != ".py":
        return None
    if collection_path.name.startswith("test_"):
        left_out = set(costs.COSTS) if config.option.fast else set()
        if config.option.markexpr == "not faults":  # the default in pyproject.toml
            left_out.add("faults")
        return bool(left_out & costs.marks_of(collection_path)) or None
    return (config.option.fast and imports_torch(collection_path)) or None


def imports_torch(path: Path) -> bool:
    """Return whether importing a module of ours imports torch: 4 to 11 CPU seconds."""
    if not any(path.is_relative_to(dvc_yaml.TOP / top) for top in dvc_yaml.TOPS):
        return False
    name = ".".join(path.relative_to(dvc_yaml.TOP).with_suffix("").parts)
    return bool({"torch", "torchaudio", "transformers"} & {*dvc_yaml.loaded_at_start(name)})


def part(text, paths):
    """Return the paths of the K-th of N parts.

    >>> sorted(part("2/3", ["a", "b", "c", "d", "e"]))
    ['b', 'e']
    """
    number, _, total = text.partition("/")
    if not (number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total)):
        raise pytest.UsageError(f"--part: expected K/N with K from 1 to N, got {text!r}")
    return {*paths[int(number) - 1 :: int(total)]}
