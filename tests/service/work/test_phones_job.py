"""The phones of a job are those of `fonoteka transcribe --phones`, for recordings of any length."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from pool_runner import in_turns, silence_file
from service_packages import HOP, phone_package, save_samples, written_phones

from fonoteka.core.errors import UserError
from fonoteka.phones import INVENTORY
from fonoteka.service.work.compute.phones_job import LONGEST_S, PAUSE_S, recognise_phones
from fonoteka.service.work.compute.sample_file import SampleFile
from fonoteka.transcribe import open_phone_model, transcribe

RATE = 16_000


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return open_phone_model(str(phone_package(tmp_path_factory.mktemp("models") / "toy").folder))


@pytest.fixture(scope="module")
def short_model(tmp_path_factory):
    """A model whose longest input is 30 s, as that of Whisper's encoder."""
    folder = phone_package(tmp_path_factory.mktemp("models") / "toy", max_s=30).folder
    return open_phone_model(str(folder))


def talk(seconds, seed=0):
    """Return random phones and pauses of random lengths, and samples that are not a whole frame."""
    rng = np.random.default_rng(seed)
    parts, left = [], round(seconds * RATE)
    while left > 0:
        phone = rng.choice(INVENTORY)
        frames, pause = (int(n) for n in rng.integers((1, 0), (90, 60)))
        parts.append(written_phones(phone, frames, pause)[:left])
        left -= len(parts[-1])
    return np.concatenate(parts)


def recognised(samples, model, tmp_path, quantum_s=0.1):
    audio = SampleFile(save_samples(tmp_path / "a.f32", samples))
    return in_turns(lambda turns: recognise_phones(audio, model, turns), quantum_s)


@pytest.mark.parametrize("seconds", [0.02, 0.99, 29.99, 30, 30.01, 47.3, 60, 60.01, 61, 95.5, 200])
def test_the_phones_are_those_of_the_command(seconds, model, short_model, tmp_path):
    samples = talk(seconds, round(seconds * 100))
    for used in (model, short_model):
        segments, result, _ = recognised(samples, used, tmp_path)
        expected = transcribe(used.session, used.labels, samples)
        units = [unit for segment in segments for unit in segment.units]
        assert [(u.text, u.start_s, u.end_s) for u in units] == [
            (s.symbol, s.start / 50, s.end / 50) for s in expected
        ]
        assert result.language == ""


def test_a_phone_that_lasts_over_windows_is_one_phone(model, tmp_path):
    samples = written_phones("a", frames=50 * 100)
    (segment,), *_ = recognised(samples, model, tmp_path)
    assert [(unit.text, unit.start_s, unit.end_s) for unit in segment.units] == [("a", 0, 100)]


def test_the_confidence_is_the_highest_posterior(model, tmp_path):
    (segment,), *_ = recognised(written_phones("d a"), model, tmp_path)
    assert [unit.confidence for unit in segment.units] == [0.9, 0.9]


def test_a_pause_ends_a_segment(model, tmp_path):
    short, long = (written_phones("d a", pause=round(50 * s)) for s in (PAUSE_S, PAUSE_S + 0.02))
    assert [s.text for s in recognised(short, model, tmp_path)[0]] == ["d a"]
    segments = recognised(long, model, tmp_path)[0]
    assert [(s.text, s.start_s, s.end_s) for s in segments] == [("d", 0, 0.08), ("a", 0.7, 0.78)]


def test_long_speech_without_a_pause_is_several_segments(model, tmp_path):
    samples = np.tile(written_phones("d a n"), 150)
    segments = recognised(samples, model, tmp_path)[0]
    assert len(segments) > len(samples) / RATE / LONGEST_S
    assert all(s.end_s - s.start_s <= LONGEST_S for s in segments)
    assert " ".join(s.text for s in segments) == " ".join(["d a n"] * 150)


def test_each_window_is_a_turn(model, tmp_path):
    silence = np.zeros(150 * RATE, np.float32)
    assert recognised(silence, model, tmp_path, quantum_s=0)[2] == 7  # 6 windows and the end


def test_a_sample_that_is_not_finite_is_named(model, tmp_path):
    samples = np.zeros(70 * RATE, np.float32)
    samples[65 * RATE] = np.nan
    with pytest.raises(UserError, match=r"the sample at 65\.000 s is not a finite number"):
        recognised(samples, model, tmp_path)


def test_a_recording_without_samples_is_refused(tmp_path):
    with pytest.raises(UserError, match="the recording has no samples"):
        SampleFile(save_samples(tmp_path / "a.f32", np.zeros(0, np.float32)))


def test_an_hour_needs_the_memory_of_a_few_windows(model, tmp_path):
    audio = SampleFile(silence_file(tmp_path / "a.f32", 3600))
    window = 30 * RATE * 4
    tracemalloc.start()
    try:
        segments, *_ = in_turns(lambda turns: recognise_phones(audio, model, turns))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert segments == []
    assert peak < 8 * window < 3600 * RATE * 4 / 10


def test_the_last_samples_need_not_be_a_frame(model, tmp_path):
    samples = np.concatenate([written_phones("d a"), np.zeros(HOP - 1, np.float32)])
    assert recognised(samples, model, tmp_path)[0][0].text == "d a"
