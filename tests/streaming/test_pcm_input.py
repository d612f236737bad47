"""Raw samples of a pipe become chunks at 16 kHz, and each fault of the pipe is one sentence."""

from __future__ import annotations

import os
from contextlib import contextmanager

import numpy as np
import pytest
from clip_maker import noise

from fonoteka.audio.dsp import to_mono_16k
from fonoteka.core.errors import UserError
from fonoteka.streaming.sources import pcm_input
from fonoteka.streaming.sources.chunks import StopRequest
from fonoteka.streaming.sources.pcm_input import PcmFormat, pcm_chunks


def as_pcm(samples):
    return np.rint(samples * 32768).astype("<i2").tobytes()


@contextmanager
def pipe(*parts, end=True):
    """Yield the descriptor of a pipe that contains parts, which fit into 64 KiB."""
    reading, writing = os.pipe()
    for part in parts:
        os.write(writing, part)
    if end:
        os.close(writing)
    try:
        yield reading
    finally:
        if not end:
            os.close(writing)
        os.close(reading)


def read(descriptor, pcm=None, chunk_ms=40, timeout_s=10.0, stop=None):
    pcm, stop = pcm or PcmFormat(), stop or StopRequest()
    return [*pcm_chunks(descriptor, pcm, chunk_ms, stop, timeout_s)]


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_the_samples_are_those_of_the_whole_signal_at_16k(rate):
    samples = np.rint(noise(1.0) * 32768) / np.float32(32768)
    with pipe(as_pcm(samples)) as descriptor:
        chunks = read(descriptor, PcmFormat(rate))
    assert np.abs(np.concatenate(chunks) - to_mono_16k(samples, rate)).max() < 1e-6


def test_chunks_do_not_depend_on_how_the_bytes_are_split():
    data = as_pcm(noise(0.3))
    with pipe(data) as descriptor:
        whole = read(descriptor)
    with pipe(*(data[start : start + 1001] for start in range(0, len(data), 1001))) as descriptor:
        split = read(descriptor)
    assert [*map(len, split)] == [*map(len, whole)] == [640] * 7 + [320]
    assert np.array_equal(np.concatenate(split), np.concatenate(whole))


def test_the_mean_of_the_channels_is_read():
    left, right = np.float32([0.5, -0.25]), np.float32([0.25, 0.25])
    with pipe(as_pcm(np.stack([left, right], axis=1))) as descriptor:
        chunks = read(descriptor, PcmFormat(channels=2))
    assert np.concatenate(chunks).tolist() == [0.375, 0.0]


def test_the_largest_and_the_smallest_integer_stay_within_full_scale():
    with pipe(np.array([-32768, 32767], dtype="<i2").tobytes()) as descriptor:
        assert np.concatenate(read(descriptor)).tolist() == [-1.0, 32767 / 32768]


@pytest.mark.parametrize("samples", [1, 2])
def test_a_pipe_may_contain_fewer_samples_than_a_chunk(samples):
    with pipe(as_pcm(np.full(samples, 0.5))) as descriptor:
        assert np.concatenate(read(descriptor)).tolist() == [0.5] * samples


@pytest.mark.parametrize(
    ("data", "pcm", "reason"),
    [
        (b"", PcmFormat(), "contains no samples; check the program before the pipe"),
        (b"123", PcmFormat(), "ends after 1 of 2 bytes of a sample; check"),
        (b"123456", PcmFormat(channels=2), "ends after 2 of 4 bytes of a sample; check"),
        (b"RIFF....WAVEfmt ", PcmFormat(), "is a file of format WAV, expected raw 16-bit samples"),
        (b"fLaC" * 9, PcmFormat(), "is a file of format FLAC"),
        (b"ID3\4" * 9, PcmFormat(), "is a file of format MP3"),
    ],
)
def test_a_pipe_without_samples_of_the_format_is_one_sentence(data, pcm, reason):
    with pipe(data) as descriptor, pytest.raises(UserError, match=f"standard input: {reason}"):
        read(descriptor, pcm)


def test_a_pipe_that_stalls_is_one_sentence_after_its_samples():
    chunks = []
    with pipe(as_pcm(noise(0.1)), end=False) as descriptor:
        stalling = pcm_chunks(descriptor, PcmFormat(), 40, StopRequest(), timeout_s=0.1)
        with pytest.raises(UserError, match=r"standard input: no samples for 0\.1 s; check"):
            chunks.extend(stalling)
    assert sum(map(len, chunks)) == 1600


def test_a_request_to_stop_ends_a_pipe_within_a_sample_without_an_error():
    stop = StopRequest()
    with pipe(as_pcm(noise(0.1)) + b"x", end=False) as descriptor:
        chunks = pcm_chunks(descriptor, PcmFormat(), 40, stop)
        received = [next(chunks)]
        stop.requested = True
        received += chunks
    assert sum(map(len, received)) == 1600


def test_an_error_of_the_system_is_raised(tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Is a directory"):
            read(folder)
    finally:
        os.close(folder)


def test_a_terminal_in_place_of_a_pipe_is_one_sentence(monkeypatch):
    monkeypatch.setattr(pcm_input.os, "isatty", lambda _descriptor: True)
    with pytest.raises(UserError, match=r"standard input: is a terminal; pipe .* -r 8000 -c 2"):
        read(0, PcmFormat(8000, 2))


@pytest.mark.parametrize(
    ("rate", "channels", "reason"), [(44_101, 1, "rate of 44101 Hz"), (16_000, 0, "0 channels")]
)
def test_a_format_that_cannot_be_read_is_refused(rate, channels, reason):
    with pytest.raises(UserError, match=reason):
        PcmFormat(rate, channels)
