"""Phones lie where the posteriors have their peaks, and the report has their error."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from corpus_maker import utterance

from fonoteka import manifest
from fonoteka.core.files import read_json
from fonoteka.models.heads import LstmShape, new_head, save_head
from fonoteka.phones import LABELS
from fonoteka.shards import write_arrays
from stages.alignment import align as stage
from stages.alignment.align import (
    COLUMNS,
    AlignParams,
    align,
    boundary_error,
    forced_times,
    rows_of,
)

pytestmark = pytest.mark.torch
PARAMS = AlignParams(min_silence_s=0.03)


def peaks(total, **positions):
    """Log posteriors sure of a phone in the frames given as `d=[3]`, of the blank elsewhere."""
    best = np.zeros(total, dtype=int)
    for phone, frames in positions.items():
        best[frames] = LABELS.index(phone)
    rows = np.full((total, len(LABELS)), 0.01 / (len(LABELS) - 1), dtype=np.float32)
    rows[np.arange(total), best] = 0.99
    return np.log(rows)


def test_an_edge_lies_half_way_between_two_peaks():
    # d in frame 3, a in frames 10 and 11, m in frame 20; frames last 20 ms
    times = forced_times(peaks(30, d=[3], a=[10, 11], m=[20]), ("d", "a", "m"), 0.6)
    assert times == [(0.06, 0.14), (0.14, 0.32), (0.32, 0.42)]


def test_a_repeated_phone_is_two_phones():
    times = forced_times(peaks(20, a=[4, 10]), ("a", "a"), 0.4)
    assert times == [(0.08, 0.15), (0.15, 0.22)]


def test_no_time_passes_the_end_of_the_clip():
    times = forced_times(peaks(10, d=[2], a=[9]), ("d", "a"), 0.19)
    assert times[-1][1] == 0.19


@pytest.mark.parametrize(
    ("frames", "phones", "fits"),
    [(2, "d a", True), (1, "d a", False), (3, "a a", True), (2, "a a", False)],
)
def test_as_many_frames_are_needed_as_phones_and_blanks_between_equal_ones(frames, phones, fits):
    assert (forced_times(peaks(frames), phones.split(), 1.0) is not None) == fits


def test_a_clip_has_rows_of_phones_of_the_silences_around_and_of_words():
    u = utterance("m/a", normalized="da ne", phones=tuple("dane"), duration_s=1.0, id="u")
    times = [(0.1, 0.2), (0.2, 0.3), (0.32, 0.4), (0.5, 0.6)]
    rows = [row[2:6] for row in rows_of(u, "test", times, "forced", 0.03)]
    assert rows == [
        ("silence", "", 0.0, 0.1),
        ("phone", "d", 0.1, 0.2),
        ("phone", "a", 0.2, 0.3),
        ("phone", "n", 0.32, 0.4),
        ("silence", "", 0.4, 0.5),
        ("phone", "e", 0.5, 0.6),
        ("silence", "", 0.6, 1.0),
        ("word", "da", 0.1, 0.3),
        ("word", "ne", 0.32, 0.6),
    ]
    assert all(
        row[:2] == ("u", "test") and row[6] == "forced"
        for row in rows_of(u, "test", times, "forced", 0.03)
    )


def test_the_boundary_error_is_that_counted_by_hand():
    own = [(0.0, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4)]
    forced = [(0.01, 0.1), (0.08, 0.2), (0.23, 0.3), (0.34, 0.4)]
    # off by 10, 20, 30 and 40 ms: the 0.9 quantile lies 0.7 of the way from 30 to 40
    assert boundary_error([(own, forced)]) == {
        "clips": 1, "median_ms": 25.0, "p90_ms": 37.0, "within_20_ms": 0.5,
    }  # fmt: skip


def test_nothing_measured_has_no_error():
    assert boundary_error([]) == {
        "clips": 0, "median_ms": None, "p90_ms": None, "within_20_ms": None,
    }  # fmt: skip


def corpus(folder, monkeypatch):
    """Three clips: one of known times, one without, one too short for its phones."""
    values = {"normalized": "da", "duration_s": 0.6}
    times = ((0.06, 0.14), (0.16, 0.22))
    rows = {
        "train": [utterance("m/a", id="known", phone_times_s=times, **values)],
        "valid": [utterance("m/b", id="unknown", **values)],
        "test": [
            utterance("m/c", id="measured", phone_times_s=times, **values),
            utterance("m/d", id="short", phones=("d", "a", "a"), **values),
        ],
    }
    arrays = {key: peaks(30, d=[3], a=[10]) for key in ("known", "unknown", "measured")}
    write_arrays(folder, arrays | {"short": peaks(3)}, 2)
    monkeypatch.setattr(stage, "posteriors", lambda head, frames: frames)
    return rows


def test_own_times_are_taken_and_others_are_forced_or_counted(tmp_path, monkeypatch):
    parts = corpus(tmp_path, monkeypatch)
    segments, report = align(None, tmp_path, parts, PARAMS)
    assert report["clips"] == {"corpus": 2, "forced": 1, "too few frames": 1}
    assert tuple(segments.columns) == COLUMNS
    assert set(segments["utterance"]) == {"known", "unknown", "measured"}
    starts = segments[segments["kind"] == "phone"].groupby("utterance")["start_s"].apply(list)
    assert starts["known"] == starts["measured"] == [0.06, 0.16]
    assert starts["unknown"] == [0.06, 0.14]


def test_forced_times_are_measured_on_known_ones_that_were_not_trained_on(tmp_path, monkeypatch):
    _, report = align(None, tmp_path, corpus(tmp_path, monkeypatch), PARAMS)
    # starts off by 0 and 20 ms, on the test clip alone
    assert report["forced_start_error"] == {
        "clips": 1, "median_ms": 10.0, "p90_ms": 18.0, "within_20_ms": 1.0,
    }  # fmt: skip


def test_the_command_writes_segments_and_report_the_same_each_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(
        yaml.safe_dump({"align": {"min_silence_s": 0.03}, "compute": {"threads": 1}})
    )
    (tmp_path / "e").mkdir()
    for part, rows in corpus(tmp_path / "e", monkeypatch).items():
        manifest.write(tmp_path / f"{part}.jsonl", rows)
    shape = LstmShape(len(LABELS), len(LABELS), 2, 1, 0.0)
    save_head(tmp_path / "m", new_head(shape), shape, {})
    for name in ("1", "2"):
        line = f"align m e train.jsonl valid.jsonl test.jsonl {name}.parquet {name}.json"
        monkeypatch.setattr(sys, "argv", line.split())
        stage.main()
    assert len(pd.read_parquet("1.parquet")) > 6
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert read_json(tmp_path / "1.json")["clips"]["too few frames"] == 1
