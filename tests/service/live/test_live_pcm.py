"""Bytes become the samples of the whole stream, and a client that is too fast is slowed down."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import numpy as np
import pytest
from clip_maker import noise
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteka.audio.dsp import to_mono_16k
from fonoteka.core.errors import UserError
from fonoteka.service.live.pace import Pace
from fonoteka.service.live.pcm import LiveFormat, PcmDecoder


def decoded(written, data, cuts=()):
    decoder = PcmDecoder(written)
    edges = [0, *sorted(cuts), len(data)]
    parts = [decoder.push(data[a:b]) for a, b in pairwise(edges)]
    return np.concatenate([*parts, decoder.finish()])


@settings(max_examples=50)
@given(
    rate=st.sampled_from([8_000, 16_000, 44_100, 48_000]),
    channels=st.integers(1, 3),
    cuts=st.lists(st.integers(0, 9600), max_size=20),
)
def test_any_split_of_bytes_gives_the_resampled_mean_of_the_channels(rate, channels, cuts):
    signal = noise(0.3)[: 4800 // channels * channels]
    integers = np.round(signal * 32768).astype("<i2")
    mean = (integers.astype(np.float32) / 32768).reshape(-1, channels).mean(axis=1)
    samples = decoded(LiveFormat("pcm_s16le", rate, channels), integers.tobytes(), cuts)
    whole = to_mono_16k(mean, rate)
    assert samples.shape == whole.shape
    # The same filter on the same samples; only the order of additions may differ.
    assert np.abs(samples - whole).max() < 1e-6


def test_float_samples_are_unchanged():
    signal = noise(0.1)
    assert np.array_equal(decoded(LiveFormat("pcm_f32le"), signal.tobytes()), signal)


def test_nothing_is_returned_after_a_fault():
    decoder = PcmDecoder(LiveFormat("pcm_f32le", 16_000, 2))
    data = np.float32([0.5, 0.5, 0.25, np.nan, 1.0, 1.0]).tobytes()
    assert decoder.push(data).tolist() == [0.5]
    assert decoder.fault.startswith("sample 1 of the stream is nan")
    assert not len(decoder.push(data))


def test_a_flush_keeps_the_bytes_of_a_sample_that_is_not_complete():
    decoder = PcmDecoder(LiveFormat())
    decoder.push(b"\x00\x40\x00")
    decoder.flush()
    assert decoder.push(b"\x40").tolist() == [0.5]
    decoder.finish()
    assert not decoder.fault


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"encoding": "mp3"}, "'mp3' is not one of pcm_s16le, pcm_f32le"),
        ({"sample_rate_hz": 200_000}, "expected 8000 to 192000"),
        ({"channels": 9}, "9 channels; expected 1 to 8"),
    ],
)
def test_a_format_that_cannot_be_read_is_refused(fields, sentence):
    with pytest.raises(UserError, match=sentence):
        LiveFormat(**fields)


class Clock:
    """Time that passes only while a pace waits."""

    def __init__(self, monkeypatch):
        self.now_s = 0.0
        monkeypatch.setattr(asyncio, "wait_for", self.wait_for)

    def __call__(self):
        return self.now_s

    async def wait_for(self, waiting, seconds):
        waiting.close()
        self.now_s += seconds
        raise TimeoutError


def test_a_client_is_slowed_down_to_real_time_if_no_progress_is_reported(monkeypatch):
    clock = Clock(monkeypatch)
    pace = Pace(5.0, clock)

    async def send():
        for _ in range(60):
            await pace.take(1.0)

    asyncio.run(send())
    assert clock.now_s == pytest.approx(55.0)


def test_a_client_is_as_fast_as_the_worker_reports(monkeypatch):
    clock = Clock(monkeypatch)
    pace = Pace(5.0, clock)

    async def send():
        for number in range(60):
            await pace.take(1.0)
            pace.processed(number + 1.0)

    asyncio.run(send())
    assert clock.now_s == 0.0


def test_a_pause_of_the_client_does_not_allow_a_burst(monkeypatch):
    clock = Clock(monkeypatch)
    pace = Pace(5.0, clock)

    async def send():
        await pace.take(1.0)
        clock.now_s += 600
        for _ in range(20):
            await pace.take(1.0)

    asyncio.run(send())
    assert clock.now_s == pytest.approx(615.0)


def test_a_piece_that_is_longer_than_what_may_wait_is_sent_once_nothing_waits(monkeypatch):
    clock = Clock(monkeypatch)
    pace = Pace(0.5, clock)

    async def send():
        await pace.take(1.0)
        await pace.take(1.0)

    asyncio.run(send())
    assert clock.now_s == pytest.approx(1.0)
