"""What all tests share with pytest: marks by cost, the order of files, a part of the files."""

import os
from collections import Counter
from pathlib import Path

import collecting
import costs
import kept_build
import pytest
from hypothesis import settings

# Hypothesis fails a test whose draw takes over 200 ms; two busy cores take that for any draw.
settings.register_profile("fonoteka", deadline=None)
settings.load_profile("fonoteka")

# The order in which files start: the longest first, or one worker ends alone with them.
ORDER = ("pipeline", "torch", "dvc")


def pytest_addoption(parser):
    group = parser.getgroup("fonoteka")
    group.addoption(
        "--fast",
        action="store_true",
        help="leave out tests with a mark of cost: " + str(costs.COSTS),
    )
    group.addoption(
        "--part", metavar="K/N", help="run the K-th of N parts of the test files, K from 1 on"
    )


def pytest_configure(config):
    # The folder that keeps the built clone between runs, if pytest has a cache at all.
    if cache := getattr(config, "cache", None):
        os.environ.setdefault(kept_build.VARIABLE, str(cache.mkdir("small-pipeline")))
    costs.watch()
    config.pluginmanager.register(collecting)


def pytest_collection_modifyitems(config, items):
    chosen = [item for item in items if not (config.option.fast and marks(item))]
    if config.option.part:
        here = part(config.option.part, sorted({item.path for item in chosen}))
        chosen = [item for item in chosen if item.path in here]
    if left_out := [item for item in items if item not in {*chosen}]:
        config.hook.pytest_deselected(items=left_out)
    dearest = {}
    for item in chosen:
        rank = min((ORDER.index(mark) for mark in marks(item) if mark in ORDER), default=len(ORDER))
        dearest[item.path] = min(rank, dearest.get(item.path, rank))
    items[:] = sorted(chosen, key=lambda item: dearest[item.path])  # stable: else the order stays


def marks(item):
    return {mark.name for mark in item.iter_markers()} & {*costs.COSTS}


def part(text, paths):
    """Return the paths of the K-th of N parts.

    >>> sorted(part("2/3", ["a", "b", "c", "d", "e"]))
    ['b', 'e']
    """
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise pytest.UsageError(f"--part: expected K/N with K from 1 to N, got {text!r}")
    return {*paths[int(number) - 1 :: int(of)]}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    costs.begin(item.nodeid, marks(item))
    costs.watch_torch()
    try:
        return (yield)
    finally:
        costs.begin(None, set())


def pytest_terminal_summary(terminalreporter, config):
    """Below `--durations`, name the files that took longest, which one worker runs alone."""
    if not config.option.durations:
        return
    seconds = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration") and hasattr(report, "nodeid"):
                seconds[report.nodeid.partition("::")[0]] += report.duration
    terminalreporter.section("slowest 10 files")
    for path, taken in seconds.most_common(10):
        terminalreporter.line(f"{taken:8.2f}s {Path(path)}")
