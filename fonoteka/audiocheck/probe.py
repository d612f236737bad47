"""Learn what one file of audio holds, and never trust what it says of itself.

A file is read once. Its structure is checked first (see `containers`), then it is decoded in blocks
(see `dr_flac` and `libsndfile`), and each block is held against what the structure promised:
samples that lie in the file as they are have to come out as they lie, FLAC's samples have to have
FLAC's own MD5, and there have to be as many as were stated.
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
from fonoteka.audiocheck.containers.container import Broken, Layout
from fonoteka.audiocheck.containers.sniff import layout_of
from fonoteka.audiocheck.dr_flac import odd_flac, quick_flac
from fonoteka.audiocheck.ffmpeg import decode_foreign, foreign_kind
from fonoteka.audiocheck.levels import FULL_SCALE, Meter, decibels
from fonoteka.audiocheck.libsndfile import Block, Decoder, opened
from fonoteka.audiocheck.sample_checks import checked

UNREADABLE = (sf.LibsndfileError, ValueError, TypeError, RuntimeError, OSError)
"""What `soundfile` is known to raise on broken files."""

SOUND_S = 60
"""How much of a clip is kept for who wants to hear it."""

_BLOCK_SAMPLES = 1 << 18  # of all channels: 1 MiB of float32, and any clip of 5 s is one block
_UNKNOWN_LENGTH = 2**63 - 1
# Without blocking: a pipe that lies under a name of a sound file would never answer. Windows has
# neither pipes under such names nor these flags, but would translate line ends in a text file.
_READ = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_CLOEXEC", "O_NONBLOCK", "O_BINARY"))
_CEILINGS = {"PCM_S8": 0x7F00, "PCM_U8": 0x7F00, "ULAW": 32124, "ALAW": 32256}


@dataclass(frozen=True)
class Limits:
    """What no file may go beyond, whatever it says of itself.

    Attributes:
        max_bytes: of a file; a larger one isn't opened.
        max_s: of sound; decoding stops there.
        max_channels: a file with more isn't decoded.
    """

    max_bytes: int = 1 << 28
    max_s: float = 3600.0
    max_channels: int = 8


class Probe(NamedTuple):
    """What a file holds.

    Attributes:
        bytes: size of the file.
        sha256: of the file; empty where it wasn't read.
        pcm_sha256: of rate, channels and samples at 16 bits, which is what the shards keep: equal
            sound has equal values in a WAV and in a FLAC file. Empty where there is a problem.
        frames: samples of one channel, as decoded and not as declared.
        sample_rate_hz: 0 where the file is unreadable.
        channels: 0 where the file is unreadable.
        codec: container and encoding, such as `FLAC PCM_16`.
        peak_dbfs: of the largest magnitude; 0 is full scale, silence is -inf.
        level_dbfs: root mean square of all samples at 16 bits; silence is -inf.
        snr_db: an estimate, see `levels.snr_db`; None where nothing stands out.
        clipped: share of samples at full scale or beyond.
        sound: the first minute at 16 bits, interleaved; None where there is a problem.
        problem: empty, or one of `unreadable`, `truncated`, `unknown length`, `too large`,
            `too long`, `wrong channel count`, `not finite`.
        detail: what was found, with its value; without a problem a note on what is odd beside the
            sound, such as `length not stated`, and mostly empty.
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
        """Return the length in seconds, 0 where the file is unreadable."""
        return self.frames / self.sample_rate_hz if self.sample_rate_hz else 0.0


class _Refused(Exception):  # noqa: N818
    """A file goes beyond a limit; `found` is what is known of it by then."""

    def __init__(self, found: Probe) -> None:
        super().__init__(found.detail)
        self.found = found


def probe(path: Path | str, limits: Limits = Limits()) -> Probe:
    """Read and decode a whole file, and return what it holds, also where it is broken."""
    try:
        descriptor = os.open(path, _READ)
    except OSError as error:
        return Probe(problem=container.UNREADABLE, detail=f"can't be opened: {error.strerror}")
    try:
        return _probe(descriptor, os.fspath(path), limits)
    finally:
        os.close(descriptor)


def _probe(descriptor: int, path: str, limits: Limits) -> Probe:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return Probe(problem=container.UNREADABLE, detail="is no file")
    if status.st_size > limits.max_bytes:
        detail = f"{status.st_size} bytes, at most {limits.max_bytes}"
        return Probe(bytes=status.st_size, problem="too large", detail=detail)
    data = _read(descriptor, status.st_size)
    known = Probe(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    try:
        if kind := foreign_kind(data):
            return _foreign(path, kind, known, limits)
        layout = layout_of(data)
        if layout.codec and layout.plain:
            return _as_it_lies(data, layout, known, limits)
        known = known._replace(detail="; ".join(layout.notes))
        if layout.foreign:
            return _foreign(path, layout.foreign, known, limits, layout)
        data = layout.parts[0] if len(layout.parts) == 1 else data
        if (samples := quick_flac(data, layout)) is not None:
            return _as_decoded(samples, layout, "FLAC PCM_16", known, limits, layout.md5)
        if (deep := odd_flac(data, layout)) is not None:
            return _as_decoded(deep, layout, f"FLAC PCM_{layout.bits}", known, limits, b"")
        with opened(descriptor, layout.start, layout.parts) as decoders:
            return _decoded(decoders, data, layout, known, limits)
    except _Refused as refused:
        return refused.found
    except Broken as broken:
        return known._replace(problem=broken.problem, detail=broken.detail)
    except UNREADABLE as error:
        # Without the path: a table must not depend on where the folder lies.
        detail = str(error).replace(path, os.path.basename(path))  # noqa: PTH119
        detail = detail or type(error).__name__
        return known._replace(problem=container.UNREADABLE, detail=" ".join(detail.split()))


def _read(descriptor: int, size: int) -> bytes:
    """Return a file's bytes; one that shrank meanwhile gives fewer."""
    data = os.read(descriptor, size)
    while len(data) < size and (more := os.read(descriptor, size - len(data))):
        data += more
    return data


def _decoded(
    decoders: list[Decoder], data: bytes, layout: Layout, known: Probe, limits: Limits
) -> Probe:
    """Decode all recordings of a file, hold every block against the layout, and measure."""
    rate, channels, frames = _of_all(decoders)
    frames = layout.keep or frames
    known = known._replace(sample_rate_hz=rate, channels=channels, codec=decoders[0].codec)
    if (layout.sample_rate_hz or rate) != rate or (layout.channels or channels) != channels:
        raise _differs(layout, rate, channels)
    if frames >= _UNKNOWN_LENGTH:
        raise Broken(container.UNKNOWN_LENGTH, "states no number of samples; convert it")
    _check_channels(channels, known, limits)
    blocks = chain.from_iterable(
        one.blocks(min(frames, one.frames), _BLOCK_SAMPLES) for one in decoders
    )
    found = _measured(checked(blocks, data, layout), known, limits)
    if found.frames < frames and not layout.spare:
        raise Broken(container.TRUNCATED, f"ends after {found.frames} of {frames} samples")
    return _of_length(found, layout)


def _of_length(found: Probe, layout: Layout) -> Probe:
    """Hold the number of decoded samples against the layout's."""
    least = found.frames if layout.frames is None else layout.frames
    if not least <= found.frames <= least + layout.spare:
        detail = f"holds {least} samples or more and decodes to {found.frames}; convert it"
        raise Broken(container.UNREADABLE, detail)
    return found


def _differs(layout: Layout, rate: int, channels: int) -> Broken:
    return Broken(
        container.UNREADABLE,
        f"says {layout.sample_rate_hz} Hz, {layout.channels} channels and decodes to "
        f"{rate} Hz, {channels}",
    )


def _of_all(decoders: list[Decoder]) -> tuple[int, int, int]:
    """Return rate, channels and the sum of the samples.

    Raises:
        Broken: the recordings differ in rate or channels.
    """
    kinds = {(one.sample_rate_hz, one.channels) for one in decoders}
    if len(kinds) > 1:
        listed = ", ".join(f"{rate} Hz with {channels}" for rate, channels in sorted(kinds))
        detail = f"its recordings differ in rate or channels: {listed}; cut it into files"
        raise Broken(container.UNREADABLE, detail)
    return *kinds.pop(), sum(one.frames for one in decoders)


def _as_it_lies(data: bytes, layout: Layout, known: Probe, limits: Limits) -> Probe:
    """Return what a file holds whose samples need no decoder: 16 bits, little-endian."""
    assert layout.plain
    samples = np.frombuffer(data, "<i2", offset=layout.plain.start).astype(np.int16, copy=False)
    return _as_decoded(samples, layout, layout.codec, known, limits)


def _as_decoded(
    samples: npt.NDArray[np.int16] | npt.NDArray[np.int32],
    layout: Layout,
    codec: str,
    known: Probe,
    limits: Limits,
    md5: bytes = b"",
) -> Probe:
    """Return what samples hold that are known to be the file's, all of them at once."""
    rate, channels = layout.sample_rate_hz, layout.channels
    known = known._replace(sample_rate_hz=rate, channels=channels, codec=codec)
    _check_channels(channels, known, limits)
    return _measured(_cut(samples, channels), known, limits, md5)


def _cut(samples: npt.NDArray[np.int16] | npt.NDArray[np.int32], channels: int) -> Iterator[Block]:
    size = _BLOCK_SAMPLES // channels * channels
    return (samples[start : start + size] for start in range(0, samples.size, size))


def _check_channels(channels: int, known: Probe, limits: Limits) -> None:
    if channels > limits.max_channels:
        detail = f"{channels} channels, at most {limits.max_channels}"
        raise _Refused(known._replace(problem="wrong channel count", detail=detail))


def _measured(blocks: Iterator[Block], known: Probe, limits: Limits, md5: bytes = b"") -> Probe:
    """Return what the blocks hold; stops at the first that goes beyond a limit.

    Args:
        blocks: of all channels, interleaved.
        known: of the file.
        limits: of the sound.
        md5: of all blocks at 16 bits, where it is known already.
    """
    rate, channels = known.sample_rate_hz, known.channels
    digest = hashlib.md5(usedforsecurity=False)
    meter = Meter(rate, channels, _CEILINGS.get(known.codec.split()[-1], FULL_SCALE - 1))
    samples, peak = 0, 0.0
    heard: list[npt.NDArray[np.int16]] = []
    for block in blocks:
        samples += block.size
        if block.dtype == np.float32:
            loudest = max(float(block.max()), -float(block.min()))
            if not math.isfinite(loudest):
                at = int(np.flatnonzero(~np.isfinite(block))[0])
                detail = f"sample {(samples - block.size + at) // channels} is {block[at]}"
                raise _Refused(known._replace(problem="not finite", detail=detail))
            peak = max(peak, loudest)
        if samples > limits.max_s * rate * channels:
            detail = f"more than {limits.max_s:g} s"
            seen = samples // channels
            raise _Refused(known._replace(frames=seen, problem="too long", detail=detail))
        pcm = _at_16_bits(block)
        if not md5:
            digest.update(pcm.astype("<i2", copy=False).data)
        meter.add(pcm)
        if samples - block.size < SOUND_S * rate * channels:
            heard.append(pcm)
    peak = max(peak, meter.peak / FULL_SCALE if peak <= 1 else 0.0)
    whole = f"{rate} {channels} {samples} {(md5 or digest.digest()).hex()}"
    return known._replace(
        pcm_sha256=hashlib.sha256(whole.encode()).hexdigest(),
        frames=samples // channels,
        peak_dbfs=decibels(peak * peak),
        level_dbfs=meter.level_dbfs(),
        snr_db=meter.snr_db(),
        clipped=meter.clipped_fraction(),
        sound=_joined(heard)[: SOUND_S * rate * channels],
    )


def _joined(blocks: list[npt.NDArray[np.int16]]) -> npt.NDArray[np.int16]:
    """Return blocks as one; most clips are one block, which is not copied."""
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


def _foreign(
    path: str, kind: str, known: Probe, limits: Limits, layout: Layout | None = None
) -> Probe:
    """Return what a file holds that ffmpeg decodes.

    Args:
        path: of the file.
        kind: ffmpeg's name of the format.
        known: of the file.
        limits: of the sound.
        layout: of the file, where its structure is checked here; else it is ffmpeg's to check.
    """
    sound = decode_foreign(Path(path), kind, limits.max_s)
    known = known._replace(
        sample_rate_hz=sound.sample_rate_hz, channels=sound.channels, codec=sound.codec
    )
    if layout and (layout.sample_rate_hz, layout.channels) != (
        sound.sample_rate_hz,
        sound.channels,
    ):
        raise _differs(layout, sound.sample_rate_hz, sound.channels)
    _check_channels(sound.channels, known, limits)
    found = _measured(_cut(sound.samples, sound.channels), known, limits)
    return _of_length(found, layout) if layout else found
