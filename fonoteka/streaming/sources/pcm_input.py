"""Raw samples from a pipe: signed 16-bit integers, little-endian, channels interleaved.

A thread reads the pipe, because no other way to wait for it with a time limit works on each system.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, Full, Queue
from threading import Thread

import numpy as np

from fonoteka.audio.dsp import Signal
from fonoteka.audio.resampling import blocks_at_16k, prepare_resampling
from fonoteka.core.errors import UserError
from fonoteka.streaming.sources.chunks import StopRequest, check_rate, chunked, mono

SAMPLE_BYTES = 2
POLL_S = 0.05  # after which a request to stop is noticed
_READ_BYTES = 1 << 16  # the size of a pipe on Linux
_MOST_READS = 16  # that wait: 1 MiB, 33 s at 16 kHz; then the program that writes waits
_CONTAINERS = {b"RIFF": "WAV", b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3"}
_NAME = "standard input"


@dataclass(frozen=True)
class PcmFormat:
    """How raw samples are written.

    Attributes:
        sample_rate_hz: per channel.
        channels: interleaved; their mean is used.
    """

    sample_rate_hz: int = 16_000
    channels: int = 1

    def __post_init__(self) -> None:
        check_rate(self.sample_rate_hz)
        if self.channels < 1:
            raise UserError(f"{self.channels} channels; expected at least 1")


def pcm_chunks(
    descriptor: int, pcm: PcmFormat, chunk_ms: int, stop: StopRequest, timeout_s: float = 10.0
) -> Iterator[Signal]:
    """Yield the samples of a pipe as one channel at 16 kHz.

    A chunk is resampled as soon as it is complete, so the chunks of equal bytes are equal.

    Args:
        descriptor: of the pipe, as the system numbers it.
        pcm: how the samples are written.
        chunk_ms: length of a chunk, in ms.
        stop: ends it.
        timeout_s: longest wait for the next bytes, in seconds.

    Raises:
        UserError: a terminal is in place of a pipe, the pipe is empty, stalls, contains a file with
            a header, or ends within a sample.
    """
    if os.isatty(descriptor):
        raise UserError(
            f"{_NAME}: is a terminal; pipe raw samples into it, as in `arecord -f S16_LE "
            f"-r {pcm.sample_rate_hz} -c {pcm.channels} -t raw | fonoteka listen --stdin`"
        )
    prepare_resampling(pcm.sample_rate_hz)
    size = max(1, pcm.sample_rate_hz * chunk_ms // 1000)
    blocks = _samples(_received(descriptor, stop, timeout_s), pcm, stop)
    return blocks_at_16k(chunked(blocks, size), pcm.sample_rate_hz, shortest=1)


def _samples(received: Iterator[bytes], pcm: PcmFormat, stop: StopRequest) -> Iterator[Signal]:
    """Yield the mean of the channels; bytes may be split anywhere."""
    frame = SAMPLE_BYTES * pcm.channels
    held, total = b"", 0
    for data in received:
        held += data
        if total == 0 and len(held) < 4:  # too short for the name of a container
            continue
        if total == 0:
            _refuse_container(held)
        whole = len(held) // frame * frame
        yield _scaled(held[:whole], pcm.channels)
        held, total = held[whole:], total + whole
    whole = len(held) // frame * frame
    if whole:
        yield _scaled(held[:whole], pcm.channels)
    if stop.requested:
        return
    if not total + len(held):
        raise UserError(f"{_NAME}: contains no samples; check the program before the pipe")
    if whole < len(held):
        raise UserError(
            f"{_NAME}: ends after {len(held) - whole} of {frame} bytes of a sample; check that the "
            f"format is 16 bits with --channels {pcm.channels}"
        )


def _refuse_container(data: bytes) -> None:
    for start, name in _CONTAINERS.items():
        if data.startswith(start):
            raise UserError(
                f"{_NAME}: is a file of format {name}, expected raw 16-bit samples without a "
                "header; use --wav FILE, or convert it by ffmpeg -f s16le"
            )


def _scaled(data: bytes, channels: int) -> Signal:
    samples = np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(32768)
    return mono(samples, channels)


def _received(descriptor: int, stop: StopRequest, timeout_s: float) -> Iterator[bytes]:
    """Yield the bytes of a pipe as they arrive."""
    queue: Queue[bytes | OSError] = Queue(_MOST_READS)
    ended = StopRequest()
    # The thread may wait in a read for longer than the descriptor is open, so it has its own.
    args = os.dup(descriptor), queue, ended
    Thread(target=_read, args=args, name="read-pcm", daemon=True).start()
    try:
        last_s = time.monotonic()
        while not stop.requested:
            try:
                data = queue.get(timeout=POLL_S)
            except Empty:
                if time.monotonic() - last_s > timeout_s:
                    raise UserError(
                        f"{_NAME}: no samples for {timeout_s:g} s; check the program before the "
                        "pipe, or raise --timeout-s"
                    ) from None
                continue
            if isinstance(data, OSError):
                raise data
            if not data:
                return
            yield data
            last_s = time.monotonic()
    finally:
        ended.requested = True


def _read(descriptor: int, queue: Queue[bytes | OSError], ended: StopRequest) -> None:
    """Put what a pipe contains into a queue, `b""` at its end.

    `os.read` holds no lock of Python's standard input, so the program can end while this waits.
    """
    data: bytes | OSError = b"-"
    while data and not isinstance(data, OSError):
        try:
            data = os.read(descriptor, _READ_BYTES)
        except OSError as error:
            data = error
        if not _put(queue, data, ended):
            break
    os.close(descriptor)


def _put(queue: Queue[bytes | OSError], data: bytes | OSError, ended: StopRequest) -> bool:
    """Put data into a queue as soon as it has room; return whether anyone still reads it."""
    while not ended.requested:
        try:
            queue.put(data, timeout=POLL_S)
        except Full:
            continue
        return True
    return False
