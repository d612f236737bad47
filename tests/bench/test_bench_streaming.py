"""Deadlines and lag follow from times of computation; no measured time is asserted."""

from __future__ import annotations

from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from clip_maker import save_clips
from command_line import run_fonoteka
from streaming_maker import FRAME, LABELS, LEVELS, SourceEngine, ToyEngine, ToySource
from streaming_maker import posteriors_of as toy_posteriors

from fonoteka import manifest
from fonoteka.bench import stream_timing, streaming
from fonoteka.bench.recompute_baseline import RecomputeEngine
from fonoteka.bench.stream_timing import (
    Candidates,
    HopTimes,
    TimedStream,
    figures_of,
    missed_deadlines,
    paced_stream,
    queued,
    time_streams,
    timed_stream,
)
from fonoteka.bench.timer import Measurement
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.streaming import open_engine

CANDIDATES = Candidates("greedy", "exact", 40.0, (240.0,), 5.0)
SECTION = {
    "model": "toy", "streams": 3,
    "join": {
        "seed": 1, "seconds": 1.0, "pause_min_s": 0.1, "pause_max_s": 0.2, "gain_min_db": 0.0,
        "gain_max_db": 0.0, "noise_min_db": 60.0, "noise_max_db": 60.0,
    },
    "candidates": {
        "decoder": "greedy", "policy": "exact", "chunk_ms": 40.0, "recompute_chunks_ms": [240.0],
        "window_s": 5.0,
    },
    "paced_s": 0.0, "sla": {"max_rtf": 1e6, "max_missed": 10**6, "max_lag_p90_ms": 1e6},
}  # fmt: skip


def spoken(frames):
    return np.repeat(np.array([LEVELS[label] for label in frames], np.float32), FRAME)


class FakeClock:
    """A clock that moves when it is waited for, and by some time with each chunk."""

    def __init__(self, engine, compute_s):
        self.engine, self.compute_s, self.now = engine, iter(compute_s), 10.0

    def read(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def feed(self, samples):
        self.now += next(self.compute_s)
        return self.engine.feed(samples)

    def finish(self):
        self.now += next(self.compute_s)
        return self.engine.finish()


def test_a_hop_waits_for_its_samples_and_for_the_hop_before_it():
    ready = queued(np.array([0.04, 0.08, 0.12, 0.16]), np.array([0.01, 0.07, 0.03, 0.01]))
    assert ready == pytest.approx([0.05, 0.15, 0.18, 0.19])


def test_a_deadline_is_missed_if_the_next_hop_has_arrived():
    arrived = np.array([0.04, 0.08, 0.12, 0.16])
    ready = np.array([0.05, 0.15, 0.18, 0.19, 0.19])
    # Deadlines are at 0.08, 0.12, 0.16 and 0.20.
    assert missed_deadlines(HopTimes([], np.zeros(5), arrived, ready), 640) == 2


def test_a_paced_stream_is_fed_when_its_samples_have_arrived():
    clock = FakeClock(ToyEngine([]), [0.01, 0.07, 0.03, 0.01, 0.0])
    times = paced_stream(clock, np.zeros(2560, np.float32), 640, clock.read, clock.sleep)
    assert times.compute_s == pytest.approx([0.01, 0.07, 0.03, 0.01, 0.0])
    assert times.ready_s == pytest.approx([0.05, 0.15, 0.18, 0.19, 0.19])
    assert times.ready_s == pytest.approx(queued(np.append(times.arrived_s, 0.16), times.compute_s))
    assert missed_deadlines(times, 640) == 2


def test_a_timed_stream_has_the_updates_of_its_engine_and_a_time_for_each():
    truth = [("d", 0.02, 0.1), ("a", 0.1, 0.2)]
    times = timed_stream(ToyEngine(truth), np.zeros(4000, np.float32), 640)
    assert len(times.updates) == len(times.compute_s) == len(times.ready_s) == 8
    assert times.arrived_s[-1] == pytest.approx(0.25)
    assert (times.compute_s > 0).all()
    assert (times.ready_s[:-1] > times.arrived_s).all()


def test_lag_with_computation_counts_until_the_update_is_ready():
    truth = [("d", 0.0, 0.04), ("a", 0.04, 0.12)]
    engine = ToyEngine(truth)
    updates = [engine.feed(np.zeros(640, np.float32)) for _ in range(3)] + [engine.finish()]
    times = HopTimes(
        updates, np.array([0.01, 0.06, 0.01, 0.0]), np.array([0.04, 0.08, 0.12]),
        np.array([0.05, 0.14, 0.15, 0.15]),
    )  # fmt: skip
    figures = figures_of([(times, TimedStream(np.zeros(1920, np.float32), truth))], 640)
    assert figures["lag"] == pytest.approx([0, 0])
    assert figures["ready"] == pytest.approx([10, 30])
    assert figures["hops"] == pytest.approx([10, 60, 10])
    assert figures["compute"] == pytest.approx([10, 60, 10, 0])
    assert figures["missed"].tolist() == [1]


@pytest.fixture
def toy(monkeypatch):
    """The toy model in place of one in a folder."""
    monkeypatch.setattr(
        open_engine, "open_engine", lambda folder, policy, decoder: SourceEngine(ToySource())
    )
    monkeypatch.setattr(
        stream_timing, "recompute_engine",
        lambda folder, window_s: RecomputeEngine(toy_posteriors, LABELS, window_s),
    )  # fmt: skip


# Streams of 0.2 s: one is enough for 0.1 s, and for 0.5 s the first is fed again.
@pytest.mark.parametrize(("paced_s", "paced_hops"), [(0.0, 0), (0.1, 5), (0.5, 15)])
def test_each_candidate_is_fed_every_stream(toy, paced_s, paced_hops):
    streams = [
        TimedStream(spoken([0, 1, 1, 1, 0, 2, 2, 2, 0, 0]), [("d", 0.02, 0.08), ("a", 0.1, 0.16)])
        for _ in range(2)
    ]
    times = time_streams(Path("toy"), streams, CANDIDATES, paced_s)
    assert len(times["engine/hops"]) == 2 * 5
    assert len(times["engine/compute"]) == 2 * 6
    assert len(times["recompute, 240 ms/hops"]) == 2
    assert len(times["engine/lag"]) == 4
    # Waiting is allowed in this test, 0.8 s in all: that is what pacing is.
    assert len(times["paced/hops"]) == paced_hops


@pytest.fixture
def project(toy, tmp_path, monkeypatch):
    """A folder with all that the benchmark reads; it is measured in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        streaming, "measure_alone",
        lambda function, *values: Measurement(function(*values), 2**30, 1, ["numpy"]),
    )  # fmt: skip
    Path("data/models/toy").mkdir(parents=True)
    Path("data/models/toy/step.onnx").write_bytes(b"toy")
    Path("data/corpus").mkdir()
    signals = {f"c{n}": spoken([1] * 5 + [2] * 5 + [1] * (5 + n)) for n in range(4)}
    clips = save_clips(Path("data/audio"), signals)
    clips = [replace(u, speaker=f"mine/{'ana' if n % 2 else 'ivo'}") for n, u in enumerate(clips)]
    manifest.write(Path("data/splits/test.jsonl"), clips)
    rows = [
        (u.id, "phone", symbol, start, end or u.duration_s)
        for u in clips
        for symbol, start, end in (("d", 0.0, 0.1), ("a", 0.1, 0.2), ("d", 0.2, None))
    ]
    pd.DataFrame(rows, columns=["utterance", "kind", "symbol", "start_s", "end_s"]).to_parquet(
        "data/corpus/segments.parquet"
    )
    write_section()


def write_section(**changes):
    section = SECTION | changes
    Path("params.yaml").write_text(yaml.safe_dump({"bench_streaming": section}), encoding="utf-8")


def test_the_report_adds_up_and_is_printed(project):
    with redirect_stdout(StringIO()) as printed:
        run_fonoteka("bench", "streaming", "--busy")
    report = read_json(Path("reports/bench/streaming.json"))
    assert (report["model"], report["streams"], report["cores"]) == ("toy", 2, 1)
    engine, baseline = (report["candidates"][name] for name in ("engine", "recompute, 240 ms"))
    ratio = baseline["rtf"] / engine["rtf"]
    assert baseline["times_the_engines_rtf"] == pytest.approx(ratio, rel=2e-3)
    assert engine["times_the_engines_rtf"] == 1.0
    assert engine["hops"] > 5 * baseline["hops"]
    for row in (engine, baseline):
        lag, ready = row["commit_lag_ms"], row["commit_lag_with_computation_ms"]
        assert lag["p50"] <= ready["p50"] <= ready["p90"]
    assert report["sla"]["streaming.rtf"]["met"] is True
    assert "recompute, 240 ms" in printed.getvalue()


def test_paced_streams_have_a_row_without_a_real_time_factor(project):
    with redirect_stdout(StringIO()) as printed:
        run_fonoteka("bench", "streaming", "--busy", "--paced-s", "0.1")
    row = read_json(Path("reports/bench/streaming.json"))["candidates"]["paced"]
    assert "rtf" not in row
    assert row["hops"] > 5
    assert row["seconds"] == pytest.approx(0.04 * row["hops"])
    assert "paced" in printed.getvalue()


@pytest.mark.parametrize("seconds", ["-1", "inf", "nan"])
def test_seconds_that_cannot_be_paced_are_refused(project, seconds):
    with pytest.raises(UserError, match="paced_s must be a finite number of seconds from 0 on"):
        run_fonoteka("bench", "streaming", "--busy", f"--paced-s={seconds}")


def test_missed_limits_are_named(project):
    write_section(sla={"max_rtf": 0.0, "max_missed": -1, "max_lag_p90_ms": -1000.0})
    words = r"3 missed: streaming\.rtf is .*, above 0\.0; streaming\.missed is .*lag_p90_ms is"
    with redirect_stdout(StringIO()), pytest.raises(ValueError, match=words):
        streaming.bench_streaming(busy=True)


def test_a_model_without_a_right_phone_has_no_lag_to_limit(project, monkeypatch):
    monkeypatch.setattr(open_engine, "open_engine", lambda *_: ToyEngine([]))
    with pytest.raises(ValueError, match="no committed phone is right, so there is no lag"):
        streaming.bench_streaming(busy=True)


def test_a_missing_input_is_named(project):
    Path("data/models/toy/step.onnx").unlink()
    with pytest.raises(ValueError, match=r"toy/step\.onnx: no such file; run `make repro`"):
        streaming.bench_streaming(busy=True)


def test_clips_without_times_are_refused(project):
    table = pd.DataFrame(columns=["utterance", "kind", "symbol", "start_s", "end_s"])
    table.to_parquet("data/corpus/segments.parquet")
    with pytest.raises(ValueError, match=r"test\.jsonl: no clip whose phone times are known"):
        streaming.bench_streaming(busy=True)


def test_numbers_that_measure_nothing_are_refused(project):
    write_section(streams=0)
    with pytest.raises(ValueError, match="streams must be at least 1, found 0"):
        streaming.bench_streaming(busy=True)
    with pytest.raises(ValueError, match="must be above 0, found 0, "):
        replace(CANDIDATES, chunk_ms=0.0)
