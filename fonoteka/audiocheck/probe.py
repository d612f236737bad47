"""Decode one audio file, measure it, and verify every statement of its header.

A file is read once. Its structure is checked first (see `containers`), then it is decoded in blocks
(see `dr_flac` and `libsndfile`), and each block is compared with the structure: uncompressed
samples must equal the bytes of the file, FLAC samples must have the MD5 that FLAC stores, and the
number of samples must be the stated one.
"""

from __future__ import annotations

import hashlib
import os
import stat
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf

from fonoteka.audiocheck.containers import container
from fonoteka.audiocheck.containers.container import CorruptFileError, Layout
from fonoteka.audiocheck.containers.sniff import layout_of
from fonoteka.audiocheck.dr_flac import decode_flac_12_20, decode_flac_16
from fonoteka.audiocheck.ffmpeg import decode_with_ffmpeg, ffmpeg_format
from fonoteka.audiocheck.libsndfile import Decoder, open_decoders
from fonoteka.audiocheck.measure import (
    BLOCK_SAMPLES,
    DEFAULT_LIMITS,
    LimitExceededError,
    Probe,
    ProbeLimits,
    check_channels,
    in_blocks,
    measure,
)
from fonoteka.audiocheck.sample_checks import check_blocks

DECODE_ERRORS = (sf.LibsndfileError, ValueError, TypeError, RuntimeError, OSError)
"""Exceptions that `soundfile` is known to raise on damaged files."""

_UNKNOWN_LENGTH = 2**63 - 1
# Without blocking: a pipe that lies under a name of a sound file would never answer. Windows has
# neither pipes under such names nor these flags, but would translate line ends in a text file.
_READ = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_CLOEXEC", "O_NONBLOCK", "O_BINARY"))


def probe(path: Path | str, limits: ProbeLimits = DEFAULT_LIMITS) -> Probe:
    """Return the contents of a file, decoded as a whole; a damaged file has a `problem`."""
    # O_NONBLOCK: opening a named pipe would otherwise wait for a writer.
    try:
        descriptor = os.open(path, _READ)
    except OSError as error:
        return Probe(problem=container.UNREADABLE, detail=f"cannot be opened: {error.strerror}")
    try:
        return _probe(descriptor, os.fspath(path), limits)
    finally:
        os.close(descriptor)


def _probe(descriptor: int, path: str, limits: ProbeLimits) -> Probe:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return Probe(problem=container.UNREADABLE, detail="is not a regular file")
    if status.st_size > limits.max_bytes:
        detail = f"{status.st_size} bytes, at most {limits.max_bytes}"
        return Probe(bytes=status.st_size, problem="too large", detail=detail)
    data = _read(descriptor, status.st_size)
    partial = Probe(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    try:
        if kind := ffmpeg_format(data):
            return _ffmpeg_probe(path, kind, partial, limits)
        layout = layout_of(data)
        # Cheapest first: uncompressed samples of 16 bits, then FLAC by dr_flac, which takes
        # half of libsndfile's time, then libsndfile.
        if layout.codec and layout.raw:
            return _raw_probe(data, layout, partial, limits)
        partial = partial._replace(detail="; ".join(layout.notes))
        if layout.ffmpeg_format:
            return _ffmpeg_probe(path, layout.ffmpeg_format, partial, limits, layout)
        data = layout.parts[0] if len(layout.parts) == 1 else data
        if (samples := decode_flac_16(data, layout)) is not None:
            return _decoded_probe(samples, layout, "FLAC PCM_16", partial, limits, layout.md5)
        if (samples_32 := decode_flac_12_20(data, layout)) is not None:
            return _decoded_probe(
                samples_32, layout, f"FLAC PCM_{layout.bits}", partial, limits, b""
            )
        with open_decoders(descriptor, layout.start, layout.parts) as decoders:
            return _stream_probe(decoders, data, layout, partial, limits)
    except LimitExceededError as exceeded:
        return exceeded.probe
    except CorruptFileError as corrupt:
        return partial._replace(problem=corrupt.problem, detail=corrupt.detail)
    except DECODE_ERRORS as error:
        # Only the file's name, so that a table of details does not depend on the folder's path.
        detail = str(error).replace(path, os.path.basename(path))  # noqa: PTH119
        detail = detail or type(error).__name__
        return partial._replace(problem=container.UNREADABLE, detail=" ".join(detail.split()))


def _read(descriptor: int, size: int) -> bytes:
    """Return a file's bytes; fewer than `size` if the file shrank meanwhile."""
    data = os.read(descriptor, size)
    while len(data) < size and (more := os.read(descriptor, size - len(data))):
        data += more
    return data


def _stream_probe(
    decoders: list[Decoder], data: bytes, layout: Layout, partial: Probe, limits: ProbeLimits
) -> Probe:
    """Decode all recordings of a file, compare every block with the layout, and measure."""
    rate, channels, frames = _common_format(decoders)
    frames = layout.sound_frames or frames
    partial = partial._replace(sample_rate_hz=rate, channels=channels, codec=decoders[0].codec)
    if (layout.sample_rate_hz or rate) != rate or (layout.channels or channels) != channels:
        raise _differs(layout, rate, channels)
    if frames >= _UNKNOWN_LENGTH:
        raise CorruptFileError(container.UNKNOWN_LENGTH, "states no number of samples; convert it")
    check_channels(channels, partial, limits)
    blocks = chain.from_iterable(
        decoder.blocks(min(frames, decoder.frames), BLOCK_SAMPLES) for decoder in decoders
    )
    result = measure(check_blocks(blocks, data, layout), partial, limits)
    if result.frames < frames and not layout.spare:
        raise CorruptFileError(
            container.TRUNCATED, f"ends after {result.frames} of {frames} samples"
        )
    return _check_length(result, layout)


def _check_length(result: Probe, layout: Layout) -> Probe:
    """Return the result if the number of decoded samples fits the layout.

    Raises:
        CorruptFileError: it does not.
    """
    min_frames = result.frames if layout.frames is None else layout.frames
    if not min_frames <= result.frames <= min_frames + layout.spare:
        detail = (
            f"contains at least {min_frames} samples and decodes to {result.frames}; convert it"
        )
        raise CorruptFileError(container.UNREADABLE, detail)
    return result


def _differs(layout: Layout, rate: int, channels: int) -> CorruptFileError:
    return CorruptFileError(
        container.UNREADABLE,
        f"states {layout.sample_rate_hz} Hz, {layout.channels} channels and decodes to "
        f"{rate} Hz, {channels}",
    )


def _common_format(decoders: list[Decoder]) -> tuple[int, int, int]:
    """Return the rate, the channels and the total number of samples of several recordings.

    Raises:
        CorruptFileError: the recordings differ in rate or channels.
    """
    formats = {(decoder.sample_rate_hz, decoder.channels) for decoder in decoders}
    if len(formats) > 1:
        listed = ", ".join(f"{rate} Hz with {channels}" for rate, channels in sorted(formats))
        detail = f"its recordings differ in rate or channels: {listed}; cut it into files"
        raise CorruptFileError(container.UNREADABLE, detail)
    return *formats.pop(), sum(decoder.frames for decoder in decoders)


def _raw_probe(data: bytes, layout: Layout, partial: Probe, limits: ProbeLimits) -> Probe:
    """Return the contents of a file whose samples need no decoder: 16 bits, little-endian."""
    assert layout.raw
    samples = np.frombuffer(data, "<i2", offset=layout.raw.start).astype(np.int16, copy=False)
    return _decoded_probe(samples, layout, layout.codec, partial, limits)


def _decoded_probe(
    samples: npt.NDArray[np.int16] | npt.NDArray[np.int32],
    layout: Layout,
    codec: str,
    partial: Probe,
    limits: ProbeLimits,
    md5: bytes = b"",
) -> Probe:
    """Return the contents of a file whose samples are decoded and verified already."""
    rate, channels = layout.sample_rate_hz, layout.channels
    partial = partial._replace(sample_rate_hz=rate, channels=channels, codec=codec)
    check_channels(channels, partial, limits)
    return measure(in_blocks(samples, channels), partial, limits, md5)


def _ffmpeg_probe(
    path: str, kind: str, partial: Probe, limits: ProbeLimits, layout: Layout | None = None
) -> Probe:
    """Return the contents of a file that ffmpeg decodes.

    Args:
        path: of the file.
        kind: ffmpeg's name of the format.
        partial: values of the file that are known already.
        limits: for the sound.
        layout: of the file, if its structure was checked here; None if only ffmpeg checks it.
    """
    sound = decode_with_ffmpeg(Path(path), kind, limits.max_s)
    partial = partial._replace(
        sample_rate_hz=sound.sample_rate_hz, channels=sound.channels, codec=sound.codec
    )
    if layout and (layout.sample_rate_hz, layout.channels) != (
        sound.sample_rate_hz,
        sound.channels,
    ):
        raise _differs(layout, sound.sample_rate_hz, sound.channels)
    check_channels(sound.channels, partial, limits)
    result = measure(in_blocks(sound.samples, sound.channels), partial, limits)
    return _check_length(result, layout) if layout else result
