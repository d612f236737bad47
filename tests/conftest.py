"""Configure pytest for all tests: marks by cost, the order of files, a part of the files."""

import os
from collections import Counter
from pathlib import Path
from uuid import uuid4

import collecting
import costs
import kept_build
import pytest
from hypothesis import settings

# Hypothesis fails a test if a draw takes over 200 ms, which any draw does on two busy cores.
settings.register_profile("fonoteka", deadline=None)
settings.load_profile("fonoteka")

# Files start in this order: the longest first, or one worker runs them alone at the end.
ORDER = ("pipeline", "torch", "browser", "dvc")


def pytest_addoption(parser):
    group = parser.getgroup("fonoteka")
    group.addoption(
        "--fast",
        action="store_true",
        help="skip tests with a mark of cost: " + str(costs.COSTS),
    )
    group.addoption(
        "--part", metavar="K/N", help="run the K-th of N parts of the test files, K from 1 on"
    )


def pytest_configure(config):
    # The folder that caches the built clone between runs, if pytest has a cache.
    if cache := getattr(config, "cache", None):
        os.environ.setdefault(kept_build.VARIABLE, str(cache.mkdir("small-pipeline")))
    # Stages that tests run write no logs, except in tests of them.
    os.environ["FONOTEKA_LOGS"] = "off"
    costs.watch()
    config.pluginmanager.register(collecting)


def pytest_collection_modifyitems(config, items):
    chosen = [item for item in items if not (config.option.fast and marks(item))]
    if config.option.part:
        selected = collecting.part(config.option.part, sorted({item.path for item in chosen}))
        chosen = [item for item in chosen if item.path in selected]
    if left_out := [item for item in items if item not in {*chosen}]:
        config.hook.pytest_deselected(items=left_out)
    dearest = {}
    for item in chosen:
        rank = min((ORDER.index(mark) for mark in marks(item) if mark in ORDER), default=len(ORDER))
        dearest[item.path] = min(rank, dearest.get(item.path, rank))
    items[:] = sorted(chosen, key=lambda item: dearest[item.path])  # stable


def marks(item):
    return {mark.name for mark in item.iter_markers()} & {*costs.COSTS}


@pytest.fixture(autouse=True)
def own_clip_cache(request, tmp_path_factory, monkeypatch):
    """Run stages in this process, with an empty cache of clips for each test.

    Tests of the executors and of the cache itself set both.
    """
    if request.path.parent.name != "compute":
        folder = tmp_path_factory.getbasetemp() / "clip-cache" / uuid4().hex
        monkeypatch.setenv("FONOTEKA_CACHE", str(folder))
        monkeypatch.setenv("FONOTEKA_EXECUTOR", "serial")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    costs.begin(item.nodeid, marks(item))
    costs.watch_torch()
    try:
        return (yield)
    finally:
        costs.begin(None, set())


def pytest_terminal_summary(terminalreporter, config):
    """Below `--durations`, list the slowest files, because one worker runs a whole file."""
    if not config.option.durations:
        return
    seconds = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration") and hasattr(report, "nodeid"):
                seconds[report.nodeid.partition("::")[0]] += report.duration
    terminalreporter.section("slowest 10 files")
    for path, duration_s in seconds.most_common(10):
        terminalreporter.line(f"{duration_s:8.2f}s {Path(path)}")
