"""Silence and noise around a clip."""

from __future__ import annotations

import numpy as np
import pytest

from fonoteka.audio.dsp import FRAME_HOP
from fonoteka.audio.surroundings import Surroundings
from fonoteka.core.errors import UserError

CLIP = np.sin(np.arange(4_000) / 5).astype(np.float32) / 4


def draws(around, count=60):
    return [around.add_to(CLIP, np.random.default_rng(seed)) for seed in range(count)]


def test_silences_are_whole_frames_up_to_the_longest():
    lengths = set()
    for signal, before, after in draws(Surroundings(0.1, 200.0, 200.0)):
        assert len(signal) == len(CLIP) + (before + after) * FRAME_HOP
        inside = signal[before * FRAME_HOP :][: len(CLIP)]
        assert np.abs(inside - CLIP).max() < 1e-6
        assert np.abs(signal[: before * FRAME_HOP]).max(initial=0) < 1e-6
        lengths |= {(before, True), (after, False)}
    assert lengths == {(frames, side) for frames in range(6) for side in (True, False)}


def test_a_noise_is_throughout_and_as_far_below_the_clip_as_it_is_drawn():
    below_db = []
    for signal, before, _ in draws(Surroundings(0.2, 12.0, 30.0)):
        noise = signal.astype(np.float64)
        noise[before * FRAME_HOP :][: len(CLIP)] -= CLIP
        below_db.append(20 * np.log10(CLIP.std() / noise.std()))
        assert noise[:FRAME_HOP].std() > noise.std() / 4
    assert 11.9 < min(below_db) < 15
    assert 27 < max(below_db) < 30.1


def test_without_silence_the_clip_stays_as_it_is_and_nothing_is_drawn():
    random = np.random.default_rng(1)
    surrounded = Surroundings(0.0, 12.0, 30.0).add_to(CLIP, random)
    assert surrounded.signal is CLIP
    assert (surrounded.before, surrounded.after) == (0, 0)
    assert random.random() == np.random.default_rng(1).random()


@pytest.mark.parametrize(
    ("values", "message"), [((-0.1, 12.0, 30.0), "-0.1, 12 and 30"), ((0.1, 40.0, 30.0), "0.1, 40")]
)
def test_impossible_values_are_refused(values, message):
    with pytest.raises(UserError, match=f"around: pause_max_s must .* found {message}"):
        Surroundings(*values)
