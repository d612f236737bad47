"""Phones lie where the posteriors have their peaks, and the report has their error."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import yaml
from clip_maker import save_clips
from corpus_maker import utterance

from fonoteka import manifest
from fonoteka.alignment.phone_rows import RowWriter
from fonoteka.alignment.plain_path import plain_times
from fonoteka.core.files import read_json
from fonoteka.models.heads import LstmShape, new_head, save_head
from fonoteka.phones import LABELS
from fonoteka.shards import write_arrays
from stages.alignment import align as stage
from stages.alignment.align import COLUMNS, AlignParams, align, phone_prior, rows_of
from stages.alignment.start_errors import METHODS, MeasuredClip, errors_of

pytestmark = pytest.mark.torch
PARAMS = AlignParams(min_silence_s=0.03, prior_weight=0.3, seed=1)


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
    times = plain_times(peaks(30, d=[3], a=[10, 11], m=[20]), ("d", "a", "m"), 0.6)
    assert times == [(0.06, 0.14), (0.14, 0.32), (0.32, 0.42)]


def test_a_repeated_phone_is_two_phones():
    times = plain_times(peaks(20, a=[4, 10]), ("a", "a"), 0.4)
    assert times == [(0.08, 0.15), (0.15, 0.22)]


def test_no_time_passes_the_end_of_the_clip():
    times = plain_times(peaks(10, d=[2], a=[9]), ("d", "a"), 0.19)
    assert times[-1][1] == 0.19


@pytest.mark.parametrize(
    ("frames", "phones", "fits"),
    [(2, "d a", True), (1, "d a", False), (3, "a a", True), (2, "a a", False)],
)
def test_as_many_frames_are_needed_as_phones_and_blanks_between_equal_ones(frames, phones, fits):
    assert (plain_times(peaks(frames), phones.split(), 1.0) is not None) == fits


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


def measured(own, placed, words=()):
    u = utterance("m/a", phones=("a",) * len(own), phone_times_s=own, duration_s=1.0)
    return MeasuredClip(u, words, dict.fromkeys(METHODS, placed))


def test_the_start_error_is_that_counted_by_hand():
    own = ((0.0, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4))
    placed = [(0.01, 0.1), (0.08, 0.2), (0.23, 0.3), (0.36, 0.4)]
    # Off by 10, 20, 30 and 60 ms: the 0.9 quantile lies 0.7 of the way from 30 to 60.
    errors = errors_of([measured(own, placed, [("aa", 0, 2), ("aa", 2, 4)])])
    assert errors["clips"] == 1
    assert errors["aligner"]["all"] == {
        "phone_start": {
            "median_ms": 25.0, "p90_ms": 51.0, "within_20_ms": 0.5, "within_50_ms": 0.75,
        },
        "word_start": {
            "median_ms": 20.0, "p90_ms": 28.0, "within_20_ms": 0.5, "within_50_ms": 1.0,
        },
    }  # fmt: skip
    assert errors["aligner"]["all"] == errors["plain_ctc"]["hr"]


def test_nothing_measured_has_no_error():
    errors = errors_of([])
    assert errors["clips"] == 0
    assert set(errors["aligner"]["all"]["phone_start"].values()) == {None}


def test_a_clip_with_too_few_frames_is_not_measured():
    errors = errors_of([measured(((0.0, 0.1),), None)])
    assert errors["aligner"]["all"]["phone_start"]["median_ms"] is None


def test_the_prior_of_an_absent_phone_is_finite():
    prior = np.exp(phone_prior([utterance("m/a", phones=("a", "a", "d"))]))
    assert prior.sum() == pytest.approx(1)
    shares = prior / prior.min()
    assert shares[[LABELS.index(phone) - 1 for phone in "ad"]] == pytest.approx([3, 2])


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
    write_arrays(folder, arrays | {"short": peaks(2)}, 2)
    tone = np.sin(np.arange(9_600) / 5).astype(np.float32)
    tone[:960] = tone[3_840:] = 0  # speech from 0.06 to 0.24 s
    clips = save_clips(
        folder / "audio", dict.fromkeys(("known", "unknown", "measured", "short"), tone)
    )
    places = {clip.id: clip.audio for clip in clips}
    rows = {part: [replace(u, audio=places[u.id]) for u in us] for part, us in rows.items()}
    monkeypatch.setattr(stage, "posteriors", lambda head, frames: frames)
    return rows


def aligned(folder, monkeypatch):
    """Return the segments and the report of that corpus."""
    parts = corpus(folder, monkeypatch)
    with RowWriter(folder / "segments.parquet", COLUMNS) as table:
        report = align(None, folder, folder / "audio", parts, table, PARAMS)
    return pd.read_parquet(folder / "segments.parquet"), report


def test_own_times_are_taken_and_others_are_forced_or_counted(tmp_path, monkeypatch):
    segments, report = aligned(tmp_path, monkeypatch)
    assert report["clips"] == {"corpus": 2, "forced": 1, "too few frames": 1}
    assert tuple(segments.columns) == tuple(COLUMNS)
    assert set(segments["utterance"]) == {"known", "unknown", "measured"}
    starts = segments[segments["kind"] == "phone"].groupby("utterance")["start_s"].apply(list)
    assert starts["known"] == starts["measured"] == [0.06, 0.16]


def test_forced_times_are_measured_on_known_ones_that_were_not_trained_on(tmp_path, monkeypatch):
    _, report = aligned(tmp_path, monkeypatch)
    errors = report["start_error"]
    assert errors["clips"] == 1  # the test clip alone
    # The plain path has the first edge at the peak, the second half-way to the next peak.
    assert errors["plain_ctc"]["all"]["phone_start"]["median_ms"] == 10.0
    assert errors["aligner"]["all"]["word_start"]["median_ms"] <= 10.0  # the sound starts there


def test_the_phones_of_a_word_fill_its_sound(tmp_path, monkeypatch):
    segments, report = aligned(tmp_path, monkeypatch)
    rows = segments[(segments["utterance"] == "unknown") & (segments["kind"] == "phone")]
    (start, edge), (again, end) = rows[["start_s", "end_s"]].to_numpy().tolist()
    assert edge == again
    assert (start, end) == (pytest.approx(0.06, abs=0.02), pytest.approx(0.24, abs=0.02))
    # Three clips of 0.6 s have times: these two phones, and 0.14 s of speech in each of the others.
    assert report["silence_share"] == {
        "m": pytest.approx(1 - (2 * 0.14 + end - start) / 1.8, abs=1e-4)
    }


def test_the_command_writes_segments_and_report_the_same_each_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(
        yaml.safe_dump({"align": asdict(PARAMS), "compute": {"threads": 1, "device": "cpu"}})
    )
    (tmp_path / "e").mkdir()
    for part, rows in corpus(tmp_path / "e", monkeypatch).items():
        manifest.write(tmp_path / f"{part}.jsonl", rows)
    shape = LstmShape(len(LABELS), len(LABELS), 2, 1, 0.0)
    save_head(tmp_path / "m", new_head(shape), shape, {})
    for name in ("1", "2"):
        line = f"align m e e/audio train.jsonl valid.jsonl test.jsonl {name}.parquet {name}.json"
        monkeypatch.setattr(sys, "argv", line.split())
        stage.main()
    assert len(pd.read_parquet("1.parquet")) > 6
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert read_json(tmp_path / "1.json")["clips"]["too few frames"] == 1
