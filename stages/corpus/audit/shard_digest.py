"""Hear the shards themselves: what is really in them, and a few marks by which to know it again.

A mark is the spectrum around one of the loudest moments of a clip. Silence before or after, a cut
end, another level or a codec leave most marks where they are, so that two copies of one recording
share several with one lag, while two takes of a word rarely share more than one.
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
AROUND = 12
"""Spectra on each side of a mark's moment: 120 ms, about a syllable; every second one is kept."""
MARKS = 4
APART = 8
"""Spectra by which two moments of one clip lie apart, at least."""
QUIETEST = 1e-3
"""Of the loudest moment's power: what is below 30 dB under it is no moment."""
BANDS = 16
LOW_HZ, HIGH_HZ = 120.0, 3400.0
"""What a telephone leaves of a voice, so that a copy at 8 kHz is still known."""


@dataclass(frozen=True)
class Heard:
    """What a shard holds of one clip.

    Attributes:
        problem: why it can't be heard; empty where it can, and then the others are known.
        samples: how many, at 16 kHz.
        pcm: hash of the decoded samples.
        moments: of the marks, in spectra, shape `[M]`, M <= MARKS.
        marks: each of mean 0 and norm 1, shape `[M, BANDS * (AROUND + 1)]`.
    """

    problem: str
    samples: int
    pcm: str
    moments: NDArray[np.int64]
    marks: NDArray[np.float32]


NOTHING = (0, "", np.zeros(0, np.int64), np.zeros((0, BANDS * (AROUND + 1)), np.float32))


def hear(folder: Path, references: Iterable[str], workers: int) -> dict[str, Heard]:
    """Return what the shards hold, by reference (`shard.tar/name.flac`).

    Memory holds one clip and the marks of all: some 3 kB a clip.

    Args:
        folder: data/audio.
        references: in any order; a wrong one is a problem of its own, no error.
        workers: processes that hear a shard each; what they hear doesn't depend on how many.
    """
    by_shard: dict[str, set[str]] = defaultdict(set)
    for reference in references:
        shard, _, name = reference.partition("/")
        by_shard[shard].add(name)
    items = sorted((shard, tuple(sorted(names))) for shard, names in by_shard.items())
    work = partial(_hear_shard, folder)
    if workers < 2:
        with threadpool_limits(1):
            return {key: heard for found in map(work, items) for key, heard in found}
    with ProcessPoolExecutor(workers, initializer=_start) as pool:
        return {key: heard for found in pool.map(work, items) for key, heard in found}


def _start() -> None:
    """Make ready a process that works beside others: more threads would only be in their way."""
    die_with_parent()
    threadpool_limits(1)


def _hear_shard(folder: Path, item: tuple[str, tuple[str, ...]]) -> list[tuple[str, Heard]]:
    shard, names = item
    found: dict[str, Heard] = {}
    missing = "is not in the shard"
    try:
        with tarfile.open(folder / shard) as tar:
            for member in tar:
                if member.name in names and (file := tar.extractfile(member)) is not None:
                    twice = member.name in found
                    found[member.name] = (
                        Heard("is twice in the shard", *NOTHING) if twice else _listen(file.read())
                    )
    except (OSError, tarfile.TarError):
        missing = "is in a shard that is missing or broken"
    return [(f"{shard}/{name}", found.get(name, Heard(missing, *NOTHING))) for name in names]


def _listen(flac: bytes) -> Heard:
    try:
        pcm, rate = soundfile.read(io.BytesIO(flac), dtype="int16", always_2d=True)
    except (OSError, RuntimeError, ValueError) as error:
        return Heard(f"can't be decoded ({type(error).__name__})", *NOTHING)
    if rate != SAMPLE_RATE_HZ or pcm.shape[1] != 1 or not len(pcm):
        return Heard(f"is {pcm.shape} at {rate} Hz, not mono at {SAMPLE_RATE_HZ} Hz", *NOTHING)
    moments, marks = marks_of(pcm[:, 0].astype(np.float32) / 32768)
    return Heard("", len(pcm), hashlib.sha256(pcm.tobytes()).hexdigest(), moments, marks)


def _band_edges() -> NDArray[np.float32]:
    """Return the weight of each frequency in each band, shape `[WINDOW // 2 + 1, BANDS]`."""
    hz = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE_HZ)
    edges = np.geomspace(LOW_HZ, HIGH_HZ, BANDS + 1)
    weights = [
        # Low bands are narrower than one bin of the transform, which they still have to hear.
        np.clip(1 - np.abs(hz - np.sqrt(low * high)) / max(high - low, hz[1]), 0, None)
        for low, high in pairwise(edges)
    ]
    return np.stack(weights, axis=1).astype(np.float32)


_WEIGHTS = _band_edges()
_TAPER = np.hanning(WINDOW).astype(np.float32)


def marks_of(signal: Signal) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the marks of a clip and their moments, see `Heard`; none of digital silence.

    Args:
        signal: samples in [-1, 1] at 16 kHz, shape `[T]`.

    >>> moments, marks = marks_of(np.zeros(8000, dtype=np.float32))
    >>> len(moments), marks.shape
    (0, (0, 208))
    """
    padded = np.pad(signal, WINDOW + AROUND * HOP)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.square(np.abs(np.fft.rfft(frames * _TAPER, axis=1))).astype(np.float32) @ _WEIGHTS
    loud = np.convolve(power.sum(axis=1), np.hanning(7), "same")
    left = loud.copy()
    left[:AROUND] = left[-AROUND:] = 0
    moments: list[int] = []
    while len(moments) < MARKS and left.max() > QUIETEST * loud.max():
        at = int(left.argmax())
        moments.append(at)
        left[max(0, at - APART) : at + APART + 1] = 0
    if not moments:
        return NOTHING[2], NOTHING[3]
    shape = power**0.25  # as loudness grows, so that a formant counts beside a vowel's first one
    marks = np.stack([shape[at - AROUND : at + AROUND + 1 : 2].ravel() for at in moments])
    marks -= marks.mean(axis=1, keepdims=True)
    norm = np.maximum(np.linalg.norm(marks, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return np.array(moments, np.int64), (marks / norm).astype(np.float32)
