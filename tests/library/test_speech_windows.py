"""Speech is joined to windows that end at pauses, with a memory that does not grow."""

import numpy as np
import pytest

from fonoteka import speech_windows as tool
from fonoteka.silero import CHUNK
from fonoteka.speech_gate import SpeechGate, SpeechGateParams
from fonoteka.speech_windows import QUIET_S, WindowParams, quietest, speech_windows

RATE = 16_000


class Loud(SpeechGate):
    """A gate for which every chunk with a sample above 0.5 is speech."""

    def _probabilities(self, samples):
        return iter((samples.reshape(-1, CHUNK).max(axis=1) > 0.5).astype(np.float32))


GATE = Loud(SpeechGateParams(margin_s=0.0))


def sound(*parts):
    """Return noise of 0.6 to 1 for positive seconds, and silence for negative ones."""
    random = np.random.default_rng(0)
    return np.concatenate([
        random.uniform(0.6, 1.0, round(s * RATE)) if s > 0 else np.zeros(round(-s * RATE))
        for s in parts
    ]).astype(np.float32)  # fmt: skip


def windows(signal, size=30 * RATE, **params):
    blocks = (signal[start : start + size] for start in range(0, len(signal), size))
    return [*speech_windows(blocks, GATE, WindowParams(**params))]


def times(result):
    return [(round(w.start_s, 1), round(w.end_s, 1)) for w in result]


def test_short_pauses_join_and_long_ones_part():
    signal = sound(-1.024, 2.048, -0.512, 2.048, -2.048, 1.024, -1.024)
    assert times(windows(signal)) == [(1.0, 5.6), (7.7, 8.7)]


def test_a_window_has_the_samples_of_its_time():
    signal = sound(-2.048, 3.072, -3.072, 1.024)
    for window in windows(signal, 1_000):
        start = round(window.start_s * RATE)
        assert np.array_equal(window.signal, signal[start : start + len(window.signal)])


def test_windows_end_at_pauses_before_they_are_too_long():
    signal = sound(*[4.096, -0.512] * 12)
    result = windows(signal)
    assert all(len(w.signal) <= 28 * RATE for w in result)
    assert times(result)[0] == (0.0, 27.1)  # six pieces and five pauses; a seventh is too much
    assert sum(len(w.signal) for w in result) >= 12 * 4.096 * RATE


@pytest.mark.parametrize("size", [777, RATE, 30 * RATE, 100 * RATE])
def test_speech_without_a_pause_is_cut_where_it_is_quietest(size):
    signal = sound(70.0)
    signal[20 * RATE : 20 * RATE + 4_000] *= 0.9
    result = windows(signal, size)
    assert all(len(w.signal) <= 28 * RATE for w in result)
    assert np.array_equal(np.concatenate([w.signal for w in result]), signal)
    assert 20.0 < result[0].end_s < 20.25


def test_windows_do_not_depend_on_the_blocks():
    random = np.random.default_rng(1)
    signal = sound(*np.ravel([random.uniform(0.5, 30, 12), -random.uniform(0.4, 3, 12)], "F"))
    whole = windows(signal, len(signal))
    assert len(whole) > 5
    for size in (1_234, 30 * RATE):
        again = windows(signal, size)
        assert times(again) == times(whole)


def test_the_memory_is_that_of_two_windows_and_a_block(monkeypatch):
    longest = 0
    add = tool._Tape.add

    def counted(tape, block):
        nonlocal longest
        add(tape, block)
        longest = max(longest, len(tape.samples))

    monkeypatch.setattr(tool._Tape, "add", counted)
    talk, silence = sound(5.0, -0.5), np.zeros(10 * RATE, np.float32)
    blocks = (talk if number % 50 else silence for number in range(400))  # 37 minutes
    assert sum(1 for _ in speech_windows(blocks, GATE)) > 50
    assert longest <= 66 * RATE


def test_silence_has_no_window():
    assert windows(np.zeros(50 * RATE, np.float32)) == []
    assert [*speech_windows([], GATE)] == []


def test_the_quietest_part_of_a_signal_shorter_than_it_is_its_middle():
    assert quietest(np.ones(100, np.float32)) == 50
    assert QUIET_S * RATE == 3_200


@pytest.mark.parametrize("seconds", [0.1, 29.0])
def test_windows_that_a_model_cannot_decode_are_refused(seconds):
    with pytest.raises(ValueError, match=r"expected 0\.4 to 28\.5 s"):
        WindowParams(max_s=seconds)
