"""Decode one audio file, measure it, and verify every statement of its header.

A file is read once. Its structure is checked first (see `containers`), then it is decoded in blocks
(see `dr_flac` and `libsndfile`), and each block is compared with the structure: uncompressed
samples must equal the bytes of the file, FLAC samples must have the MD5 that FLAC stores, and the
number of samples must be the stated one.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile as sf

from fonoteka.audiocheck.containers import container
from fonoteka.audiocheck.containers.container import CorruptFileError, Layout
from fonoteka.audiocheck.containers.sniff import layout_of
from fonoteka.audiocheck.dr_flac import decode_flac_12_20, decode_flac_16
from fonoteka.audiocheck.ffmpeg import decode_with_ffmpeg, ffmpeg_format
from fonoteka.audiocheck.levels import FULL_SCALE, LevelMeter, decibels
from fonoteka.audiocheck.libsndfile import Block, Decoder, open_decoders
from fonoteka.audiocheck.sample_checks import check_blocks

DECODE_ERRORS = (sf.LibsndfileError, ValueError, TypeError, RuntimeError, OSError)
"""Exceptions that `soundfile` is known to raise on damaged files."""

MAX_SOUND_S = 60
"""Seconds of a clip that `Probe.sound` contains, from its beginning."""

_BLOCK_SAMPLES = 1 << 18  # of all channels: 1 MiB of float32, and any clip of 5 s is one block
_UNKNOWN_LENGTH = 2**63 - 1
# Without blocking: a pipe that lies under a name of a sound file would never answer. Windows has
# neither pipes under such names nor these flags, but would translate line ends in a text file.
_READ = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_CLOEXEC", "O_NONBLOCK", "O_BINARY"))
_CEILINGS = {"PCM_S8": 0x7F00, "PCM_U8": 0x7F00, "ULAW": 32124, "ALAW": 32256}


@dataclass(frozen=True)
class ProbeLimits:
    """Limits for every file, whatever its header states.

    Attributes:
        max_bytes: size of a file; a larger file is not opened.
        max_s: seconds of sound; decoding stops there.
        max_channels: a file with more channels is not decoded.
    """

    max_bytes: int = 1 << 28
    max_s: float = 3600.0
    max_channels: int = 8


class Probe(NamedTuple):
    """The contents of a file.

    Attributes:
        bytes: size of the file.
        sha256: of the file; empty if it was not read.
        pcm_sha256: of rate, channels and samples at 16 bits: equal sound has equal values in a WAV
            and in a FLAC file. Empty if there is a problem.
        frames: samples per channel, as decoded and not as declared.
        sample_rate_hz: 0 if the file is unreadable.
        channels: 0 if the file is unreadable.
        codec: container and encoding, such as `FLAC PCM_16`.
        peak_dbfs: of the largest magnitude; 0 is full scale, silence is -inf.
        level_dbfs: root mean square of all samples at 16 bits; silence is -inf.
        snr_db: an estimate, see `levels.snr_db`; None if no frame is louder than the noise.
        clipped: share of samples at full scale or beyond.
        sound: the first minute at 16 bits, interleaved; None if there is a problem.
        problem: empty, or one of `unreadable`, `truncated`, `unknown length`, `too large`,
            `too long`, `wrong channel count`, `not finite`.
        detail: description of the problem with its values. Without a problem, a note on an oddity
            that does not affect the samples, such as `length not stated`; mostly empty.
    """

    bytes: int = 0
    sha256: str = ""
    pcm_sha256: str = ""
    frames: int = 0
    sample_rate_hz: int = 0
    channels: int = 0
    codec: str = ""
    peak_dbfs: float = -math.inf
    level_dbfs: float = -math.inf
    snr_db: float | None = None
    clipped: float = 0.0
    sound: npt.NDArray[np.int16] | None = None
    problem: str = ""
    detail: str = ""

    @property
    def duration_s(self) -> float:
        """Return the length in seconds, 0 if the file is unreadable."""
        return self.frames / self.sample_rate_hz if self.sample_rate_hz else 0.0


class _LimitExceededError(Exception):
    """A file exceeds a limit; `probe` contains the values known by then."""

    def __init__(self, probe: Probe) -> None:
        super().__init__(probe.detail)
        self.probe = probe


def probe(path: Path | str, limits: ProbeLimits = ProbeLimits()) -> Probe:
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
    except _LimitExceededError as exceeded:
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
    _check_channels(channels, partial, limits)
    blocks = chain.from_iterable(
        decoder.blocks(min(frames, decoder.frames), _BLOCK_SAMPLES) for decoder in decoders
    )
    result = _measure(check_blocks(blocks, data, layout), partial, limits)
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
    _check_channels(channels, partial, limits)
    return _measure(_in_blocks(samples, channels), partial, limits, md5)


def _in_blocks(
    samples: npt.NDArray[np.int16] | npt.NDArray[np.int32], channels: int
) -> Iterator[Block]:
    size = _BLOCK_SAMPLES // channels * channels
    return (samples[start : start + size] for start in range(0, samples.size, size))


def _check_channels(channels: int, partial: Probe, limits: ProbeLimits) -> None:
    if channels > limits.max_channels:
        detail = f"{channels} channels, at most {limits.max_channels}"
        raise _LimitExceededError(partial._replace(problem="wrong channel count", detail=detail))


def _measure(
    blocks: Iterator[Block], partial: Probe, limits: ProbeLimits, md5: bytes = b""
) -> Probe:
    """Return `partial` with the measurements of all blocks.

    Args:
        blocks: samples of all channels, interleaved.
        partial: values of the file that are known already.
        limits: for the sound.
        md5: of all blocks at 16 bits, if it is known already.

    Raises:
        _LimitExceededError: the sound is too long or not finite; later blocks are not decoded.
    """
    rate, channels = partial.sample_rate_hz, partial.channels
    digest = hashlib.md5(usedforsecurity=False)
    meter = LevelMeter(rate, channels, _CEILINGS.get(partial.codec.split()[-1], FULL_SCALE - 1))
    samples, peak = 0, 0.0
    first_minute: list[npt.NDArray[np.int16]] = []
    for block in blocks:
        samples += block.size
        # Floats may exceed full scale or be NaN, which rounding to 16 bits would hide.
        if block.dtype == np.float32:
            loudest = max(float(block.max()), -float(block.min()))
            if not math.isfinite(loudest):
                index = int(np.flatnonzero(~np.isfinite(block))[0])
                detail = f"sample {(samples - block.size + index) // channels} is {block[index]}"
                raise _LimitExceededError(partial._replace(problem="not finite", detail=detail))
            peak = max(peak, loudest)
        if samples > limits.max_s * rate * channels:
            detail = f"more than {limits.max_s:g} s"
            frames = samples // channels
            raise _LimitExceededError(
                partial._replace(frames=frames, problem="too long", detail=detail)
            )
        pcm = _at_16_bits(block)
        if not md5:
            digest.update(pcm.astype("<i2", copy=False).data)
        meter.add(pcm)
        if samples - block.size < MAX_SOUND_S * rate * channels:
            first_minute.append(pcm)
    peak = max(peak, meter.peak / FULL_SCALE if peak <= 1 else 0.0)
    identity = f"{rate} {channels} {samples} {(md5 or digest.digest()).hex()}"
    return partial._replace(
        pcm_sha256=hashlib.sha256(identity.encode()).hexdigest(),
        frames=samples // channels,
        peak_dbfs=decibels(peak * peak),
        level_dbfs=meter.level_dbfs(),
        snr_db=meter.snr_db(),
        clipped=meter.clipped_fraction(),
        sound=_joined(first_minute)[: MAX_SOUND_S * rate * channels],
    )


def _joined(blocks: list[npt.NDArray[np.int16]]) -> npt.NDArray[np.int16]:
    """Return blocks as one array; most clips are one block, which is not copied."""
    return blocks[0] if len(blocks) == 1 else np.concatenate([np.empty(0, np.int16), *blocks])


def _at_16_bits(block: Block) -> npt.NDArray[np.int16]:
    if block.dtype == np.int16:
        return block  # type: ignore[return-value]
    scaled: npt.NDArray[Any] = block
    if block.dtype == np.int32:
        scaled = scaled * 2.0**-16
    else:
        scaled = np.clip(scaled, -1, 1) * np.float32(FULL_SCALE)
    rounded: npt.NDArray[np.int16] = np.minimum(np.rint(scaled), FULL_SCALE - 1).astype(np.int16)
    return rounded


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
    _check_channels(sound.channels, partial, limits)
    result = _measure(_in_blocks(sound.samples, sound.channels), partial, limits)
    return _check_length(result, layout) if layout else result
