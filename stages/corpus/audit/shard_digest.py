"""Decode the shards and compute a digest of each clip: its samples, and marks that identify it.

A mark is the spectrum around one of the loudest moments of a clip. Silence before or after, a cut
end, another level or a codec change few marks. So two copies of one recording share several marks
at one lag, and two takes of a word rarely share more than one.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.run_stage import die_with_parent

HOP, WINDOW = 160, 512
"""Samples between two spectra and in one: 10 ms and 32 ms."""
CONTEXT = 12
"""Spectra on each side of a mark's moment: 120 ms, about a syllable; every second one is used."""
MAX_MARKS = 4
MIN_DISTANCE = 8
"""The least distance of two moments of one clip, in spectra: 80 ms."""
MIN_POWER_RATIO = 1e-3
"""A moment's power is at least this share of the loudest moment's: 30 dB below it."""
BANDS = 16
LOW_HZ, HIGH_HZ = 120.0, 3400.0
"""The band of a telephone, so that a copy at 8 kHz still matches."""


@dataclass(frozen=True)
class ClipDigest:
    """The samples of one clip in a shard, as numbers and marks.

    Attributes:
        problem: why the clip cannot be decoded, or empty; the other values need an empty one.
        samples: the number of samples at 16 kHz.
        pcm: hash of the decoded samples.
        moments: positions of the marks, in spectra, shape `[M]`, M <= MAX_MARKS.
        marks: each of mean 0 and norm 1, shape `[M, BANDS * (CONTEXT + 1)]`.
    """

    problem: str
    samples: int
    pcm: str
    moments: NDArray[np.int64]
    marks: NDArray[np.float32]


NO_AUDIO = (0, "", np.zeros(0, np.int64), np.zeros((0, BANDS * (CONTEXT + 1)), np.float32))


def digest_shards(folder: Path, references: Iterable[str], workers: int) -> dict[str, ClipDigest]:
    """Return the digest of each clip, by reference (`shard.tar/name.flac`).

    Memory holds the samples of one clip and the marks of all clips, about 3 kB per clip.

    Args:
        folder: data/audio.
        references: in any order; a wrong reference gives a digest with a problem, not an error.
        workers: processes that decode one shard each; the result does not depend on the number.
    """
    by_shard: dict[str, set[str]] = defaultdict(set)
    for reference in references:
        shard, _, name = reference.partition("/")
        by_shard[shard].add(name)
    items = sorted((shard, tuple(sorted(names))) for shard, names in by_shard.items())
    digest_one = partial(_digest_shard, folder)
    if workers < 2:
        with threadpool_limits(1):
            return {
                reference: digest
                for shard_digests in map(digest_one, items)
                for reference, digest in shard_digests
            }
    with ProcessPoolExecutor(workers, initializer=_init_worker) as pool:
        return {
            reference: digest
            for shard_digests in pool.map(digest_one, items)
            for reference, digest in shard_digests
        }


def _init_worker() -> None:
    """Limit a worker to one thread, because the other workers need the other cores."""
    die_with_parent()
    threadpool_limits(1)


def _digest_shard(
    folder: Path, shard_names: tuple[str, tuple[str, ...]]
) -> list[tuple[str, ClipDigest]]:
    shard, names = shard_names
    digests: dict[str, ClipDigest] = {}
    missing = "is not in the shard"
    try:
        with tarfile.open(folder / shard) as tar:
            for member in tar:
                if member.name in names and (file := tar.extractfile(member)) is not None:
                    repeated = member.name in digests
                    digests[member.name] = (
                        ClipDigest("is twice in the shard", *NO_AUDIO)
                        if repeated
                        else _digest_clip(file.read())
                    )
    except (OSError, tarfile.TarError):
        missing = "is in a shard that is missing or broken"
    return [
        (f"{shard}/{name}", digests.get(name, ClipDigest(missing, *NO_AUDIO))) for name in names
    ]


def _digest_clip(flac: bytes) -> ClipDigest:
    try:
        pcm, rate = soundfile.read(io.BytesIO(flac), dtype="int16", always_2d=True)
    except (OSError, RuntimeError, ValueError) as error:
        return ClipDigest(f"cannot be decoded ({type(error).__name__})", *NO_AUDIO)
    if rate != SAMPLE_RATE_HZ or pcm.shape[1] != 1 or not len(pcm):
        return ClipDigest(
            f"is {pcm.shape} at {rate} Hz, not mono at {SAMPLE_RATE_HZ} Hz", *NO_AUDIO
        )
    moments, marks = marks_of(pcm[:, 0].astype(np.float32) / 32768)
    return ClipDigest("", len(pcm), hashlib.sha256(pcm.tobytes()).hexdigest(), moments, marks)


def _band_weights() -> NDArray[np.float32]:
    """Return the weight of each frequency in each band, shape `[WINDOW // 2 + 1, BANDS]`."""
    hz = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE_HZ)
    edges = np.geomspace(LOW_HZ, HIGH_HZ, BANDS + 1)
    weights = [
        # Low bands are narrower than one bin of the transform; each must still contain a bin.
        np.clip(1 - np.abs(hz - np.sqrt(low * high)) / max(high - low, hz[1]), 0, None)
        for low, high in pairwise(edges)
    ]
    return np.stack(weights, axis=1).astype(np.float32)


_WEIGHTS = _band_weights()
_TAPER = np.hanning(WINDOW).astype(np.float32)


def marks_of(signal: Signal) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the moments and marks of a clip, see `ClipDigest`; digital silence has no marks.

    Args:
        signal: samples in [-1, 1] at 16 kHz, shape `[T]`.

    >>> moments, marks = marks_of(np.zeros(8000, dtype=np.float32))
    >>> len(moments), marks.shape
    (0, (0, 208))
    """
    padded = np.pad(signal, WINDOW + CONTEXT * HOP)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.square(np.abs(np.fft.rfft(frames * _TAPER, axis=1))).astype(np.float32) @ _WEIGHTS
    loudness = np.convolve(power.sum(axis=1), np.hanning(7), "same")
    remaining = loudness.copy()
    remaining[:CONTEXT] = remaining[-CONTEXT:] = 0
    moments: list[int] = []
    while len(moments) < MAX_MARKS and remaining.max() > MIN_POWER_RATIO * loudness.max():
        position = int(remaining.argmax())
        moments.append(position)
        remaining[max(0, position - MIN_DISTANCE) : position + MIN_DISTANCE + 1] = 0
    if not moments:
        return NO_AUDIO[2], NO_AUDIO[3]
    shape = power**0.25  # as perceived loudness grows, so that weak formants of a vowel count too
    marks = np.stack(
        [shape[position - CONTEXT : position + CONTEXT + 1 : 2].ravel() for position in moments]
    )
    marks -= marks.mean(axis=1, keepdims=True)
    norm = np.maximum(np.linalg.norm(marks, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return np.array(moments, np.int64), (marks / norm).astype(np.float32)
