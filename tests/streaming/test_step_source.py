"""The frames of a stream are those of the whole clip, however the stream is cut into pieces."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from clip_maker import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_maker import shipped
from stream_model_maker import SHAPE, stream_model

from fonoteka.audio.dsp import FRAME_HOP
from fonoteka.core.errors import UserError
from fonoteka.models.stream.stream_encoder import BEFORE
from fonoteka.phones import LABELS
from fonoteka.streaming.step_source import SHOWN_AHEAD, StepSource

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return StepSource(stream_model(tmp_path_factory) / "step" / "step.onnx")


def streamed(source, signal, cuts):
    edges = [0, *sorted(cuts), len(signal)]
    pieces = [source.push(signal[a:b]).final for a, b in pairwise(edges)]
    return np.concatenate([*pieces, source.finish().final])


@settings(max_examples=30, deadline=None)
@given(
    samples=st.integers(0, 20_000),
    cuts=st.lists(st.floats(0, 1), max_size=12),
)
def test_the_pieces_do_not_change_a_bit(source, samples, cuts):
    signal = noise(1.25)[:samples]
    whole = streamed(source, signal, [])
    assert len(whole) == -(-samples // FRAME_HOP)
    assert np.array_equal(streamed(source, signal, [int(cut * samples) for cut in cuts]), whole)


def test_single_samples_give_the_same_frames(source):
    signal = noise(0.2)
    assert np.array_equal(
        streamed(source, signal, range(1, len(signal))), streamed(source, signal, [])
    )


def test_a_frame_is_final_once_its_look_ahead_is_complete(source):
    for count in (0, SHAPE.step_samples - BEFORE - 1, SHAPE.step_samples - BEFORE):
        frames = source.push(noise(1.0)[:count])
        source.finish()
        complete = count == SHAPE.step_samples - BEFORE
        assert len(frames.final) == (SHAPE.chunk if complete else 0)
        assert len(frames.provisional) == (SHOWN_AHEAD if complete else 0)
    assert source.look_ahead_s == (SHAPE.step_samples - BEFORE) / 16_000


@pytest.mark.parametrize("shown", [0, 2, SHAPE.look_ahead])
def test_as_many_frames_of_the_look_ahead_are_provisional_as_asked(shown, tmp_path_factory):
    path = stream_model(tmp_path_factory) / "step" / "step.onnx"
    frames = StepSource(path, shown).push(noise(0.5))
    assert len(frames.provisional) == shown
    assert np.array_equal(frames.final, StepSource(path).push(noise(0.5)).final)


def test_provisional_frames_are_kept_until_the_next_step(source):
    ahead = source.push(noise(0.5)).provisional
    assert np.array_equal(source.push(noise(0.001)).provisional, ahead)
    assert not len(source.finish().provisional)


def test_a_stream_does_not_depend_on_the_one_before(source):
    first = streamed(source, noise(0.4, 1), [])
    streamed(source, noise(0.7, 2), [100])
    assert np.array_equal(streamed(source, noise(0.4, 1), []), first)


def test_two_silent_minutes_need_no_more_memory_than_one_step(source):
    silence = np.zeros(16_000, dtype=np.float32)
    for _ in range(120):
        source.push(silence)
        assert len(source._pending) < SHAPE.step_samples
    source.finish()


def test_the_labels_are_those_of_the_project(source):
    assert source.labels == LABELS


def test_a_file_of_another_kind_is_refused(tmp_path, tmp_path_factory):
    with pytest.raises(UserError, match="no such model"):
        StepSource(tmp_path / "step.onnx")
    with pytest.raises(UserError, match="no 'before' in its metadata; it is not a step file"):
        StepSource(shipped(tmp_path_factory, "wavlm_ctc") / "out" / "model.onnx")
