"""Voice activity detectors: exact for any chunks, silent in silence, most of a person's speech."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from corpus_maker import shared_corpus
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.realtime.block_check import synthetic_sound
from fonoteka.streaming.vad.detector import TUNED, Hysteresis, ThresholdedVad, open_scorer, open_vad
from fonoteka.streaming.vad.interfaces import VADS, FrameBuffer, VadParams

RATE = 16_000
LIGHT = ("silero", "webrtc")  # the scorers that need no file of the pipeline


def divided(signal, sizes):
    """Yield a signal in pieces of the given sizes, again and again."""
    start, number = 0, 0
    while start < len(signal):
        size = sizes[number % len(sizes)]
        yield signal[start : start + size]
        start, number = start + size, number + 1


def scores(scorer, pieces):
    scorer.reset()
    return np.concatenate([scorer.push(piece) for piece in pieces])


@pytest.fixture(scope="module")
def spoken():
    audio = sorted((shared_corpus("librispeech251") / "audio").glob("*.flac"))
    signal, rate = soundfile.read(audio[0], dtype="float32")
    assert rate == RATE
    return signal


@pytest.mark.parametrize("name", LIGHT)
@pytest.mark.parametrize("sizes", [(1,), (0, 7, 0, 2_000), (159, 481, 513)])
def test_scores_are_bitwise_equal_for_any_chunks(name, sizes):
    scorer, sound = open_scorer(name, mode=1), synthetic_sound(1.0)
    expected = scores(scorer, [sound])
    assert len(expected) == len(sound) // scorer.frame
    assert np.array_equal(scores(scorer, divided(sound, sizes)), expected)


@pytest.mark.parametrize("name", LIGHT)
def test_most_of_a_person_is_speech_and_silence_is_not(name, spoken):
    vad = open_vad(TUNED[name])
    assert vad.push(spoken).mean() > 0.6
    vad.push(np.zeros(RATE, np.float32))  # detectors let speech fade for some frames
    assert not vad.push(np.zeros(5 * RATE, np.float32)).any()


@pytest.mark.parametrize("name", LIGHT)
def test_a_reset_detector_repeats_its_decisions(name):
    vad, sound = open_vad(TUNED[name]), synthetic_sound(1.5)
    first = vad.push(sound)
    vad.reset()
    assert np.array_equal(vad.push(sound), first)


def test_samples_beyond_full_scale_are_clipped():
    scorer = open_scorer("webrtc")
    loud = 30 * synthetic_sound(1.0)
    assert np.abs(loud).max() > 2
    assert np.array_equal(scores(scorer, [loud]), scores(scorer, [np.clip(loud, -1, 1)]))


class Ramp:
    """A scorer whose scores are its samples."""

    frame, delay = 1, 0

    def push(self, samples):
        return samples

    def reset(self):
        pass


def test_speech_lasts_from_the_threshold_to_the_release():
    vad = ThresholdedVad(Ramp(), VadParams("silero", 0.6, 0.4, mode=0, hangover_s=0.0))
    decisions = vad.push(np.array([0.5, 0.6, 0.5, 0.4, 0.39, 0.5], np.float32))
    assert decisions.tolist() == [False, True, True, True, False, False]
    vad.push(np.ones(1, np.float32))
    vad.reset()
    assert vad.push(np.array([0.5], np.float32)).tolist() == [False]


@given(st.lists(st.floats(0, 1, width=32), max_size=30), st.integers(0, 30))
def test_decisions_do_not_depend_on_how_scores_are_divided(values, cut):
    whole, parts = Hysteresis(0.5, 0.3), Hysteresis(0.5, 0.3)
    array = np.array(values, np.float32)
    divided_decisions = np.concatenate([parts.push(array[:cut]), parts.push(array[cut:])])
    assert np.array_equal(whole.push(array), divided_decisions)


@given(st.lists(st.integers(0, 9), max_size=20))
def test_frames_are_the_samples_in_order(sizes):
    buffer, samples = FrameBuffer(4), np.arange(sum(sizes), dtype=np.float32)
    pieces = np.split(samples, np.cumsum(sizes)) if sizes else []
    frames = [buffer.push(piece) for piece in pieces]
    joined = np.concatenate([np.zeros((0, 4), np.float32), *frames]).ravel()
    assert np.array_equal(joined, samples[: len(samples) // 4 * 4])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"name": "siri"}, "'siri' is not one of silero, webrtc, speech"),
        ({"threshold": 1.0}, "0 < release <= threshold < 1"),
        ({"release": 0.6}, "release 0.6 and threshold 0.5"),
        ({"mode": 4}, "mode must be 0 to 3, found 4"),
        ({"hangover_s": -0.1}, "hangover_s must be at least 0, found -0.1"),
    ],
)
def test_parameters_of_a_detector_that_contradict_are_refused(values, reason):
    with pytest.raises(ValueError, match=reason):
        replace(VadParams("silero", 0.5, 0.35, mode=0, hangover_s=0.1), **values)


def test_each_detector_has_parameters():
    assert {name: params.name for name, params in TUNED.items()} == {name: name for name in VADS}


@pytest.mark.parametrize(
    ("name", "reason"), [("speech", "needs speech.onnx and frontend.json"), ("x", "is unknown")]
)
def test_a_detector_that_cannot_be_opened_is_named(name, reason):
    with pytest.raises(ValueError, match=f"vad '{name}' {reason}"):
        open_scorer(name)


def test_endpoints_import_no_detector_that_they_do_not_use():
    code = (
        "import sys; from fonoteka.streaming.endpoint import EndpointParams; EndpointParams(); "
        "assert not {'onnxruntime', 'torch', 'webrtcvad'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
