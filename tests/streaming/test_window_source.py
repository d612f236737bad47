"""Windows are recomputed after every hop, and a policy decides which frames are final."""

from __future__ import annotations

import numpy as np
import pytest
from clip_maker import noise
from onnx_maker import shipped

from fonoteka.core.errors import UserError
from fonoteka.onnx_export.session import open_model, session_posteriors
from fonoteka.streaming.window_source import WindowPolicy, WindowSource

pytestmark = pytest.mark.torch
HOP = 4 * 320


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return shipped(tmp_path_factory, "wavlm_ctc") / "out" / "model.onnx"


def source(path, name, context_s=3.0):
    return WindowSource(path, WindowPolicy(name, hop_frames=4, context_s=context_s))


def streamed(source, signal, size):
    pieces = [source.push(signal[a : a + size]).final for a in range(0, len(signal), size)]
    return np.concatenate([*pieces, source.finish().final])


@pytest.mark.parametrize("name", ["hold-3", "agree-2"])
def test_the_pieces_do_not_change_a_bit(path, name):
    stream, signal = source(path, name), noise(1.0)
    whole = streamed(stream, signal, len(signal))
    assert len(whole) == 50
    for size in (1000, HOP, 7777):
        assert np.array_equal(streamed(stream, signal, size), whole)


def test_hold_keeps_the_last_frames_of_each_pass_back(path):
    stream = source(path, "hold-3")
    frames = stream.push(noise(1.0)[:HOP])
    assert (len(frames.final), len(frames.provisional)) == (1, 3)
    frames = stream.push(noise(1.0)[:HOP])
    assert (len(frames.final), len(frames.provisional)) == (4, 3)
    assert len(stream.push(noise(1.0)[: HOP - 1]).final) == 0
    assert stream.look_ahead_s == pytest.approx((3 + 4) / 50)


def test_frames_are_final_when_as_many_passes_agree(path):
    stream, signal = source(path, "agree-2"), noise(1.0)
    session = open_model(path)
    passes = [session_posteriors(session, signal[None, : HOP * n])[0].argmax(-1) for n in (1, 2)]
    agreed = int((passes[0] == passes[1][:4]).cumprod().sum())
    assert len(stream.push(signal[:HOP]).final) == 0
    frames = stream.push(signal[HOP : 2 * HOP])
    assert len(frames.final) == agreed
    assert stream.look_ahead_s == pytest.approx(2 * 4 / 50)
    assert len(frames.provisional) == 8 - agreed


def test_a_window_has_a_bounded_length(path):
    stream = source(path, "hold-3", context_s=0.2)
    for _ in range(60):
        stream.push(noise(0.1))
        assert len(stream._window) <= (10 + 3 + 4) * 320
    assert len(stream.finish().final) <= 3 + 4


def test_the_whole_of_a_short_stream_is_the_models_own_output(path):
    signal = noise(0.07)  # shorter than a hop, so there is one pass over all of it
    expected = session_posteriors(open_model(path), signal[None])[0]
    assert np.array_equal(streamed(source(path, "hold-3"), signal, 100), expected)


def test_an_empty_stream_has_no_frames(path):
    assert len(source(path, "hold-3").finish().final) == 0


@pytest.mark.parametrize("name", ["exact", "hold-0", "agree-", "hold-100", "hold-3 "])
def test_another_policy_is_refused(name):
    with pytest.raises(UserError, match="needs hold-N or agree-N"):
        WindowPolicy(name)


def test_an_impossible_window_is_refused():
    with pytest.raises(UserError, match=r"found 0 and 3\.0"):
        WindowPolicy("hold-3", hop_frames=0)
