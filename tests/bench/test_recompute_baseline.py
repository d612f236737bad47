"""The baseline recognises its window with each chunk and commits what two hypotheses share."""

from __future__ import annotations

import numpy as np
import pytest
from streaming_maker import FRAME, LABELS, LEVELS, posteriors_of

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.bench.recompute_baseline import RecomputeEngine
from fonoteka.streaming.chunked import stream_updates
from fonoteka.streaming.stream_metrics import committed_changed


def spoken(frames):
    return np.repeat(np.array([LEVELS[label] for label in frames], np.float32), FRAME)


def committed(updates):
    return [phone.symbol for update in updates for phone in update.committed]


def test_a_phone_is_committed_with_the_second_hypothesis_that_has_it():
    engine = RecomputeEngine(posteriors_of, LABELS, window_s=10.0)
    first = engine.feed(spoken([0, 0, 1, 1, 0, 0]))
    assert (first.committed, [phone.symbol for phone in first.provisional]) == ((), ["d"])
    second = engine.feed(spoken([2, 2]))
    assert [(phone.symbol, phone.start_s, phone.end_s) for phone in second.committed] == [
        ("d", pytest.approx(0.04), pytest.approx(0.08))
    ]
    assert [phone.symbol for phone in second.provisional] == ["a"]
    assert [phone.symbol for phone in engine.finish().committed] == ["a"]


@pytest.mark.parametrize("size", [320, 640, 1000, 16_000])
@pytest.mark.parametrize("window_s", [0.3, 10.0])
def test_all_phones_are_committed_once_whatever_the_window_and_the_chunks(size, window_s):
    rng = np.random.default_rng(1)
    frames = [frame for label in rng.integers(1, 3, 40) for frame in [label] * 4 + [0] * 2]
    updates = stream_updates(RecomputeEngine(posteriors_of, LABELS, window_s), spoken(frames), size)
    if size < 16_000 or window_s > 1:  # a window of 0.3 s loses most of a chunk of 1 s
        assert committed(updates) == [LABELS[label] for label in frames[::6]]
    assert committed_changed(updates) == 0
    assert updates[-1].audio_s == pytest.approx(len(frames) * 0.02)


def test_the_window_is_bounded():
    lengths = []

    def measured(samples):
        lengths.append(len(samples))
        return posteriors_of(samples)

    engine = RecomputeEngine(measured, LABELS, window_s=0.5)
    stream_updates(engine, np.zeros(5 * SAMPLE_RATE_HZ, np.float32), 640)
    assert max(lengths) == 0.5 * SAMPLE_RATE_HZ + 640


def test_a_finished_engine_starts_a_new_stream():
    engine = RecomputeEngine(posteriors_of, LABELS, window_s=10.0)
    signal = spoken([0, 1, 1, 1, 0, 0, 2, 2])
    assert stream_updates(engine, signal, 640) == stream_updates(engine, signal, 640)
