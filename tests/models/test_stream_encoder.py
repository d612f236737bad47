"""A frame of the bounded encoder sees a bounded part of the clip, and steps equal the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from clip_maker import noise
from stream_model_maker import SHAPE, stream_model

from fonoteka.audio.dsp import FRAME_HOP, SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError
from fonoteka.models.stream.stream_encoder import (
    BEFORE,
    StreamEncoder,
    StreamShape,
)
from fonoteka.models.stream.stream_model import load_stream_model
from fonoteka.models.whisper_encoder import load_short_encoder

pytestmark = pytest.mark.torch
REACH = 2 + SHAPE.history * SHAPE.layers + SHAPE.chunk - 1
"""The last frame that the samples of frame 0 can change: windows reach two frames further, each
layer its history further, and a chunk sees its history as one."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return stream_model(tmp_path_factory)


@pytest.fixture(scope="module")
def encoder(folder):
    return load_stream_model(folder / "model")[0].encoder


@pytest.mark.parametrize("samples", [1, 319, 320, 321, 640, 5000, 16_000])
def test_there_is_one_frame_per_started_20_ms(samples, encoder):
    with torch.inference_mode():
        frames = encoder(torch.from_numpy(noise(1.0)[:samples])[None])
    assert frames.shape == (1, -(-samples // FRAME_HOP), encoder.width)


@torch.inference_mode()
def in_steps(encoder, signal):
    shape = encoder.shape
    frames = -(-len(signal) // FRAME_HOP)
    padded = F.pad(torch.from_numpy(signal)[None], (BEFORE, shape.step_samples + FRAME_HOP))
    cached = torch.zeros(shape.layers, 2, shape.history, encoder.width)
    rows = []
    for frame in range(0, frames, shape.chunk):
        start = frame * FRAME_HOP
        window = padded[:, start : start + shape.step_samples]
        row, _, cached = encoder.step(window, torch.tensor(frame), cached)
        rows.append(row[0])
    return torch.cat(rows)[:frames].numpy()


@pytest.mark.parametrize("seconds", [0.02, 0.13, 1.3])
def test_steps_give_the_frames_of_the_whole_clip(seconds, encoder):
    signal = noise(seconds)
    with torch.inference_mode():
        whole = encoder(torch.from_numpy(signal)[None])[0].numpy()
    # The same products in another order of addition: float32 has seven digits.
    assert np.abs(in_steps(encoder, signal) - whole).max() < 1e-5


def test_steps_give_the_frames_of_the_whole_clip_when_the_positions_start_again(encoder):
    signal = noise(30.5)  # Whisper has positions for 30 s
    with torch.inference_mode():
        whole = encoder(torch.from_numpy(signal)[None])[0].numpy()
    assert np.abs(in_steps(encoder, signal) - whole).max() < 1e-5


@torch.inference_mode()
def changed_frames(encoder, signal, changed):
    first, second = (encoder(torch.from_numpy(x)[None])[0] for x in (signal, changed))
    return (first != second).any(-1).numpy()


def test_no_sample_beyond_the_look_ahead_changes_a_frame(encoder):
    signal, frame = noise(1.0), 20  # the first of its chunk, so its look-ahead is the longest
    changed = signal.copy()
    limit = frame * FRAME_HOP + round(encoder.shape.look_ahead_s * SAMPLE_RATE_HZ)
    changed[limit:] = 0.5
    differs = changed_frames(encoder, signal, changed)
    assert not differs[: frame + 1].any()
    # One sample earlier does change it: the stated look-ahead is not too long either.
    changed[limit - 1] = 0.5
    assert changed_frames(encoder, signal, changed)[frame]


def test_no_sample_before_the_history_changes_a_frame(encoder):
    signal = noise(1.5)
    changed = signal.copy()
    changed[:FRAME_HOP] += 0.5
    differs = np.flatnonzero(changed_frames(encoder, signal, changed))
    assert differs.max() == REACH


def test_clips_of_one_batch_do_not_change_each_other(encoder):
    clips = [noise(0.7, seed) * level for seed, level in enumerate((1.0, 0.01))]
    with torch.inference_mode():
        together = encoder(torch.from_numpy(np.stack(clips))).numpy()
        alone = [encoder(torch.from_numpy(clip)[None])[0].numpy() for clip in clips]
    for row, frames in zip(together, alone, strict=True):
        assert np.abs(row - frames).max() < 1e-5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 2, 3, 6), "layers and chunk of at least 1"),
        ((2, 2, -1, 6), "look_ahead of at least 0, found 2, 2 and -1"),
        ((2, 4, 3, 6), "history must be a multiple of chunk, 4, found 6"),
    ],
)
def test_an_impossible_shape_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        StreamShape(*values)


def test_more_layers_than_the_encoder_has_are_refused(folder):
    encoder = load_short_encoder(folder / "encoder").encoder
    with pytest.raises(UserError, match=r"stream_encoder\.layers is 9; the encoder has 2"):
        StreamEncoder(encoder, StreamShape(9, 2, 3, 6))
