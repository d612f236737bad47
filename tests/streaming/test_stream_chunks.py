"""Chunks of a source have the stated length and pace, and no sample is lost before an error."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import soundfile
from clip_maker import noise
from toy_engine import spoken

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, to_mono_16k
from fonoteka.core.errors import UserError
from fonoteka.streaming.sources.chunks import (
    StopRequest,
    check_rate,
    chunked,
    paced,
    stop_on_interrupt,
)
from fonoteka.streaming.sources.recording import recording_chunks
from fonoteka.transcribe import load_recording


def in_chunks(path, chunk_ms=40, stop=None):
    return [*recording_chunks(path, chunk_ms, stop or StopRequest(), realtime=False)]


class SleepingClock:
    """A time that passes only while a program sleeps or works."""

    def __init__(self):
        self.now_s = 100.0
        self.sleeps = []

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.now_s += seconds


@pytest.mark.parametrize("sizes", [[1] * 7, [0, 5, 0, 2], [7], [3, 4]])
def test_chunks_have_one_length_for_any_split(sizes):
    signal_7 = np.arange(7, dtype=np.float32)
    blocks = np.split(signal_7, np.cumsum(sizes)[:-1])
    chunks = [*chunked(blocks, 3)]
    assert [len(chunk) for chunk in chunks] == [3, 3, 1]
    assert np.array_equal(np.concatenate(chunks), signal_7)


def test_chunks_end_with_the_samples_before_an_error():
    def failing():
        yield np.ones(5, dtype=np.float32)
        raise UserError("the cable is cut")

    chunks = []
    with pytest.raises(UserError, match="the cable is cut"):
        chunks.extend(chunked(failing(), 4))
    assert [len(chunk) for chunk in chunks] == [4, 1]


def test_a_paced_chunk_comes_when_its_last_sample_was_spoken():
    clock = SleepingClock()
    chunks = [np.zeros(1600, np.float32)] * 3 + [np.zeros(800, np.float32)]
    times = [clock() - 100 for _ in paced(chunks, clock, clock.sleep)]
    assert times == pytest.approx([0.1, 0.2, 0.3, 0.35])


def test_a_late_chunk_does_not_delay_the_others():
    clock = SleepingClock()
    times = []
    for number, _ in enumerate(paced([np.zeros(1600, np.float32)] * 5, clock, clock.sleep)):
        times.append(clock() - 100)
        clock.now_s += 0.25 if number == 1 else 0.01
    # The second is worked on until 0.45, so the third and the fourth come late and the fifth on
    # time.
    assert times == pytest.approx([0.1, 0.2, 0.45, 0.46, 0.5])


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_recording_of_any_rate_gives_the_samples_that_transcribe_reads(rate, channels, tmp_path):
    path = tmp_path / "a.flac"
    samples = np.stack([noise(1.3, seed) for seed in range(channels)], axis=1)[: rate * 13 // 10]
    soundfile.write(path, samples, rate)
    chunks = in_chunks(path)
    assert {len(chunk) for chunk in chunks[:-1]} == {640}
    assert all(chunk.dtype == np.float32 and chunk.ndim == 1 for chunk in chunks)
    # Channels are selected by the same rule; resampling differs by the order of additions.
    assert np.abs(np.concatenate(chunks) - load_recording(path)).max() < 1e-6


def test_a_request_to_stop_ends_a_recording(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(1.0), SAMPLE_RATE_HZ)
    stop = StopRequest()
    chunks = recording_chunks(path, 40, stop, realtime=False)
    next(chunks)
    stop.requested = True
    assert [*chunks] == []


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda path: None, r"a\.wav: no such file"),
        (lambda path: path.write_bytes(b"RIFF"), r"a\.wav: not a recording that can be read"),
        (lambda path: soundfile.write(path, np.zeros(0), 8000), r"a\.wav: contains no samples"),
    ],
)
def test_a_file_that_is_not_a_recording_is_one_sentence(write, reason, tmp_path):
    path = tmp_path / "a.wav"
    write(path)
    with pytest.raises(UserError, match=reason):
        in_chunks(path)


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_the_samples_before_one_that_is_not_finite_are_kept(rate, tmp_path):
    path = tmp_path / "a.wav"
    samples = noise(0.5)
    soundfile.write(path, [*samples, np.nan, 0.0], rate, subtype="FLOAT")
    chunks = []
    with pytest.raises(UserError, match=r"a\.wav: contains a sample that is not finite"):
        chunks.extend(recording_chunks(path, 40, StopRequest(), realtime=False))
    assert np.abs(np.concatenate(chunks) - to_mono_16k(samples, rate)).max() < 1e-6


def test_samples_beyond_full_scale_reach_the_recogniser_as_they_are(tmp_path):
    path = tmp_path / "a.wav"
    samples = np.float32([0.5, 1.5, -7.0])
    soundfile.write(path, samples, SAMPLE_RATE_HZ, subtype="FLOAT")
    assert np.array_equal(np.concatenate(in_chunks(path)), samples)


def test_a_recording_that_changes_its_rate_is_refused_after_its_first_part(tmp_path, monkeypatch):
    # No file in the tests does so; a chain of Ogg streams may.
    from fonoteka import recording_blocks
    from fonoteka.audiocheck.stream import SoundBlock

    path = tmp_path / "a.ogg"
    path.touch()
    first = SoundBlock(spoken("d")[:, None], SAMPLE_RATE_HZ)
    blocks = [first, first._replace(sample_rate_hz=8000)]
    monkeypatch.setattr(recording_blocks, "sound_blocks", lambda *_args: iter(blocks))
    chunks = []
    message = r"a\.ogg: changes its rate from 16000 to 8000 Hz; convert it again"
    with pytest.raises(UserError, match=message):
        chunks.extend(recording_chunks(path, 40, StopRequest(), realtime=False))
    assert np.array_equal(np.concatenate(chunks), spoken("d"))


@pytest.mark.parametrize("rate", [0, -8000, 44_101, 15_999])
def test_a_rate_that_is_not_in_use_is_refused(rate):
    with pytest.raises(UserError, match=f"sample rate of {rate} Hz; expected a usual one"):
        check_rate(rate)


@pytest.mark.parametrize("rate", [8_000, 11_025, 12_000, 22_050, 24_000, 32_000, 96_000, 192_000])
def test_a_rate_in_use_passes(rate):
    check_rate(rate)


def test_the_first_interrupt_is_a_request_and_the_second_an_exception():
    before = signal.getsignal(signal.SIGINT)
    with stop_on_interrupt() as stop:
        assert not stop.requested
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
