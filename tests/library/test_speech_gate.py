"""The speech gate finds speech, and none in silence, noise, hum, clicks and chords."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from clip_maker import noise
from corpus_maker import shared_corpus

from fonoteka import silero
from fonoteka.silero import CHUNK
from fonoteka.speech_gate import SpeechGate, SpeechGateParams, speech_spans

RATE = 16_000


@pytest.fixture(scope="module")
def gate():
    return SpeechGate()


def hum(seconds):
    time = np.arange(round(seconds * RATE)) / RATE
    return sum(0.1 * np.sin(2 * np.pi * 50 * n * time) / n for n in range(1, 9)).astype(np.float32)


def click(seconds):
    signal = np.zeros(round(seconds * RATE), dtype=np.float32)
    signal[len(signal) // 2 : len(signal) // 2 + 16] = 0.9
    return signal


@pytest.mark.parametrize(
    "signal",
    [np.zeros(5 * RATE, np.float32), noise(5.0), 0.01 * noise(5.0), hum(5.0), click(3.0),
     np.zeros(0, np.float32), np.zeros(1, np.float32), noise(0.1)],
)  # fmt: skip
def test_what_is_not_speech_has_no_segment(gate, signal):
    assert speech_spans(gate, [signal]) == []


def clip(seconds=None):
    audio = sorted((shared_corpus("librispeech251") / "audio").glob("*.flac"))
    signal, rate = soundfile.read(audio[0], dtype="float32")
    assert rate == RATE
    return signal if seconds is None else signal[: round(seconds * RATE)]


def test_a_clip_of_a_person_is_mostly_speech(gate):
    signal = clip()
    spans = speech_spans(gate, [signal])
    assert 0.6 * len(signal) < sum(end - start for start, end in spans) <= len(signal)
    assert all(0 <= start < end <= len(signal) for start, end in spans)
    assert all(first.end <= second.start for first, second in pairwise(spans))


def test_silence_around_speech_is_left_out(gate):
    silence = np.zeros(3 * RATE, np.float32)
    spans = speech_spans(gate, [silence, clip(4.0), silence])
    assert spans[0].start > 2.5 * RATE
    assert spans[-1].end < 7.7 * RATE


@pytest.mark.parametrize("size", [1, 160, 511, 513, 30_000])
def test_segments_do_not_depend_on_the_blocks(gate, size):
    signal = clip(1.5 if size == 1 else 8.0)
    blocks = [signal[start : start + size] for start in range(0, len(signal), size)]
    assert speech_spans(gate, blocks) == speech_spans(gate, [signal])


def test_finish_prepares_for_another_signal(gate):
    signal = clip(4.0)
    first = speech_spans(gate, [signal])
    assert speech_spans(gate, [signal]) == first


class Scripted(SpeechGate):
    """A gate whose probabilities are the first sample of each chunk."""

    def _probabilities(self, samples):
        return iter(samples[::CHUNK])


def scripted(probabilities, **params):
    gate = Scripted(SpeechGateParams(**({"min_pause_s": 0.096, "margin_s": 0.032} | params)))
    signal = np.repeat(np.array(probabilities, np.float32), CHUNK)
    return [(a / CHUNK, b / CHUNK) for a, b in speech_spans(gate, [signal])]


def test_speech_lasts_until_a_pause_of_the_shortest_length():
    assert scripted([0, 0, 0.9, 0.9, 0, 0, 0.9, 0.9, 0, 0, 0, 0]) == [(1, 9)]
    assert scripted([0, 0, 0.9, 0.9, 0, 0, 0, 0.9, 0.9, 0, 0, 0]) == [(1, 5), (6, 10)]


def test_a_probability_between_the_two_thresholds_changes_nothing():
    assert scripted([0.4, 0.4, 0.9, 0.4, 0.4, 0.4, 0.4, 0.9, 0, 0, 0]) == [(1, 9)]
    assert scripted([0.4] * 9) == []


def test_short_speech_does_not_count_and_margins_do_not_overlap():
    assert scripted([0, 0.9, 0, 0, 0, 0]) == []
    wide = scripted([0.9, 0.9, 0, 0, 0, 0.9, 0.9, 0, 0, 0], margin_s=0.096)
    assert wide == [(0, 5), (5, 10)]


def test_speech_at_the_end_ends_with_the_signal():
    assert scripted([0, 0, 0.9, 0.9, 0.9]) == [(1, 5)]


def test_speech_can_be_cut_while_it_lasts():
    gate = Scripted(SpeechGateParams(margin_s=0.0))
    gate.push(np.full(20 * CHUNK, 0.9, np.float32))
    assert (gate.open_start, gate.position) == (0, 20 * CHUNK)
    gate.cut(19 * CHUNK)
    assert gate.finish() == [(19 * CHUNK, 20 * CHUNK)]  # short, but the rest of longer speech
    with pytest.raises(ValueError, match="no speech lasts"):
        gate.cut(0)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"threshold": 1.0}, "0 < release <= threshold < 1"),
        ({"release": 0.6}, "release 0.6 and threshold 0.5"),
        ({"margin_s": 0.5}, r"0 to min_pause_s, 0\.3, found 0\.5"),
    ],
)
def test_parameters_that_contradict_are_refused(values, reason):
    with pytest.raises(ValueError, match=reason):
        SpeechGateParams(**values)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(silero.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match="silero-vad is not installed"):
        SpeechGate()


def test_the_gate_imports_neither_torch_nor_the_package():
    code = (
        "import sys, numpy; from fonoteka.speech_gate import *; "
        "speech_spans(SpeechGate(), [numpy.zeros(999)]); "
        "assert not {'torch', 'silero_vad'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
