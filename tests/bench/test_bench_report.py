"""A benchmark runs on an idle machine, and its report names the machine."""

from __future__ import annotations

import pytest

from fonoteka.bench import report
from fonoteka.bench.report import Benchmark, run_benchmarks
from fonoteka.core.files import read_json


@pytest.mark.parametrize(("load", "busy", "runs"), [(1.0, False, 1), (1.1, False, 0), (9, True, 1)])
def test_a_busy_machine_is_refused_unless_the_user_insists(load, busy, runs, monkeypatch, tmp_path):
    monkeypatch.setattr(report, "machine", lambda: {"load_at_start": load})
    benchmark = Benchmark(lambda: {"value": 1}, str, tmp_path / "one.json")
    if runs:
        run_benchmarks({"one": benchmark}, busy=busy)
        assert read_json(tmp_path / "one.json") == {"machine": {"load_at_start": load}, "value": 1}
    else:
        with pytest.raises(ValueError, match=r"the load of the last minute is 1\.1, above 1\.0"):
            run_benchmarks({"one": benchmark}, busy=busy)


def test_an_unknown_benchmark_is_refused():
    with pytest.raises(ValueError, match=r"'haed' is not one of \['head'\]"):
        run_benchmarks({"head": None}, ["haed"])
