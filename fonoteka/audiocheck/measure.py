"""Measure the samples of one file, block by block, and stop at the limits.

A block of memory is enough for any length: level, peak, clipping, the digest of the samples and the
first minute are computed as the blocks come.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fonoteka.audiocheck.levels import FULL_SCALE, LevelMeter, decibels
from fonoteka.audiocheck.libsndfile import Block

MAX_SOUND_S = 60
"""Seconds of a clip that `Probe.sound` contains, from its beginning."""
BLOCK_SAMPLES = 1 << 18  # of all channels: 1 MiB of float32, and any clip of 5 s is one block
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


DEFAULT_LIMITS = ProbeLimits()


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


class LimitExceededError(Exception):
    """A file exceeds a limit; `probe` contains the values known by then."""

    def __init__(self, probe: Probe) -> None:
        super().__init__(probe.detail)
        self.probe = probe


def in_blocks(
    samples: npt.NDArray[np.int16] | npt.NDArray[np.int32], channels: int
) -> Iterator[Block]:
    """Yield decoded samples in blocks of whole frames."""
    size = BLOCK_SAMPLES // channels * channels
    return (samples[start : start + size] for start in range(0, samples.size, size))


def check_channels(channels: int, partial: Probe, limits: ProbeLimits) -> None:
    """Refuse a file with too many channels.

    Raises:
        LimitExceededError: it has more than the limit.
    """
    if channels > limits.max_channels:
        detail = f"{channels} channels, at most {limits.max_channels}"
        raise LimitExceededError(partial._replace(problem="wrong channel count", detail=detail))


def measure(
    blocks: Iterator[Block], partial: Probe, limits: ProbeLimits, md5: bytes = b""
) -> Probe:
    """Return `partial` with the measurements of all blocks.

    Args:
        blocks: samples of all channels, interleaved.
        partial: values of the file that are known already.
        limits: for the sound.
        md5: of all blocks at 16 bits, if it is known already.

    Raises:
        LimitExceededError: the sound is too long or not finite; later blocks are not decoded.
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
                raise LimitExceededError(partial._replace(problem="not finite", detail=detail))
            peak = max(peak, loudest)
        if samples > limits.max_s * rate * channels:
            detail = f"more than {limits.max_s:g} s"
            frames = samples // channels
            raise LimitExceededError(
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
