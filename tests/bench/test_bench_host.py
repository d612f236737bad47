"""The report on the host adds up and names what is too slow; no time is asserted."""

from __future__ import annotations

import shutil
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import yaml
from command_line import run_fonoteka
from stream_maker import small

from fonoteka.bench.host import host_bench
from fonoteka.bench.host.host_bench import compile_timer, front_end_figures
from fonoteka.core.files import read_json
from fonoteka.realtime.frame_labels import TASKS

LIMITS = {"max_front_end_us": 1e6, "max_worst_over_median": 1e9, "max_ms_per_hop": 1e6}
SECTION = {
    "seed": 1, "hops": 300, "repeats": {"rounds": 2, "repetitions": 20, "warmup": 5},
    "sla": LIMITS,
}  # fmt: skip
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        not any(map(shutil.which, host_bench.COMPILERS)), reason="no C++ compiler is installed"
    ),
]


@pytest.fixture
def project(tmp_path_factory, tmp_path, monkeypatch):
    """A folder with the bundle that the benchmark reads, as the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("data/models").mkdir(parents=True)
    shutil.copytree(small(tmp_path_factory) / "realtime", "data/models/realtime")
    write_section()


def write_section(**sla):
    section = SECTION | {"sla": LIMITS | sla}
    Path("params.yaml").write_text(yaml.safe_dump({"bench_host": section}))


@pytest.mark.usefixtures("project")
def test_the_report_adds_up_and_is_printed():
    with redirect_stdout(StringIO()) as printed:
        run_fonoteka("bench", "host", "--busy")
    report = read_json(Path("reports/bench/host.json"))
    hops = {rate: row["hops"] for rate, row in report["front_end"].items()}
    assert hops == {"16000": 300, "44100": 30, "48000": 30}
    for row in report["front_end"].values():
        assert 0 < row["median_us"] <= row["p99_us"] <= row["p9999_us"] <= row["worst_us"]
    own = report["front_end"]["16000"]["median_us"] / 1000
    assert report["ms_per_hop"] == pytest.approx(report["onnx"]["median_ms"] + own, abs=1e-4)
    assert report["models"] == sorted(TASKS)
    assert 4096 < report["state_bytes"] <= 32 * 1024
    assert all(entry["met"] for entry in report["sla"].values())
    for word in ("front end, 44.1 kHz", "five models, ONNX Runtime", "bytes", "worst / median"):
        assert word in printed.getvalue()


@pytest.mark.usefixtures("project")
def test_what_is_too_slow_is_named():
    write_section(max_front_end_us=0.0, max_ms_per_hop=0.0)
    with (
        redirect_stdout(StringIO()),
        pytest.raises(ValueError, match=r"2 missed: host.front_end_us is .*host.ms_per_hop is "),
    ):
        host_bench.bench_host(busy=True)


@pytest.mark.usefixtures("project")
def test_headers_that_do_not_compile_are_refused(tmp_path, monkeypatch):
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.setattr(host_bench, "FLAGS", (*host_bench.FLAGS, "-DFONOTEKA", "-Dconstexpr=?"))
    with pytest.raises(ValueError, match=r"refused hop_times\.cpp"):
        compile_timer(Path("data/models/realtime"), folder)
    monkeypatch.setattr(host_bench, "COMPILERS", ("no-such-compiler",))
    with pytest.raises(ValueError, match="none of no-such-compiler is installed"):
        compile_timer(Path("data/models/realtime"), folder)


def test_figures_count_the_blocks_over_ten_medians():
    figures = front_end_figures(np.array([0.001] * 99 + [0.02]))
    assert figures["over_ten_medians"] == 1
    assert figures["worst_over_median"] == 20
