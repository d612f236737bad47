"""Make clips that resemble speech to a program: voiced and noisy syllables, no two equal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import sosfilt

from fonoteka.core.files import write_text
from fonoteka.core.run_stage import die_with_parent

NAME = "generated"
SYLLABLE_S = 0.22
FORMANTS_HZ = ((250, 850), (850, 2300), (2300, 3300))
PER_FOLDER = 1000


def speech_like(seed: int, seconds: float, sample_rate_hz: int) -> NDArray[np.float32]:
    """Return a clip of its own for each seed, shape `[seconds * sample_rate_hz]`.

    Each syllable is a train of pulses or noise through three resonances, as in a formant
    synthesiser; pitch, resonances and loudness are drawn.

    >>> speech_like(1, 0.5, 8000).shape
    (4000,)
    """
    rng = np.random.default_rng(seed)
    size = round(seconds * sample_rate_hz)
    bounds = np.linspace(0, size, max(1, round(seconds / SYLLABLE_S)) + 1).astype(int)
    clip = np.empty(size)
    base_hz = rng.uniform(80, 250)
    for start, end in pairwise(bounds.tolist()):
        count = end - start
        glide = np.linspace(rng.uniform(0.8, 1.25), rng.uniform(0.8, 1.25), count)
        phase = np.cumsum(base_hz * glide) / sample_rate_hz
        source = (np.diff(np.floor(phase), prepend=0.0) > 0) * 1.0
        source += rng.choice([0.02, 0.02, 0.3]) * rng.standard_normal(count)
        sections = [_resonance(rng.uniform(*hz), sample_rate_hz) for hz in FORMANTS_HZ]
        envelope = np.sin(np.pi * (np.arange(count) + 0.5) / count) * rng.uniform(0.2, 1)
        clip[start:end] = envelope * sosfilt(np.array(sections), source)
    clip += 1e-4 * np.abs(clip).max() * rng.standard_normal(size)
    return np.asarray(0.7 * clip / np.abs(clip).max(), dtype=np.float32)


def _resonance(hz: float, sample_rate_hz: int, bandwidth_hz: float = 90.0) -> list[float]:
    radius = np.exp(-np.pi * bandwidth_hz / sample_rate_hz)
    return [
        1 - radius, 0.0, 0.0, 1.0, -2 * radius * np.cos(2 * np.pi * hz / sample_rate_hz), radius**2,
    ]  # fmt: skip


def write_corpus(raw: Path, count: int, seconds: float, sample_rate_hz: int, workers: int) -> None:
    """Write a corpus `generated` of FLAC files below `raw`."""
    folder = raw / NAME
    paths = [clip_path(number) for number in range(count)]
    write_clips(folder, paths, seconds, sample_rate_hz, workers)
    rows = [f"{path},da,voice{number % 50},hr" for number, path in enumerate(paths)]
    write_text(folder / "metadata.csv", "\n".join(["path,text,speaker,language", *rows]))
    write_card(folder)


def clip_path(number: int) -> str:
    """Return the path of a clip in its corpus.

    >>> clip_path(1234)
    'audio/001/001234.flac'
    """
    return f"audio/{number // PER_FOLDER:03d}/{number:06d}.flac"


def write_clips(
    folder: Path, paths: Sequence[str], seconds: float, sample_rate_hz: int, workers: int
) -> None:
    """Write FLAC files of a corpus; a clip depends on the number that is its name."""
    for path in {(folder / path).parent for path in paths}:
        path.mkdir(parents=True, exist_ok=True)
    make = partial(_write, folder=folder, seconds=seconds, sample_rate_hz=sample_rate_hz)
    with ProcessPoolExecutor(workers, initializer=die_with_parent) as pool:
        list(pool.map(make, paths, chunksize=64))


def write_card(folder: Path) -> None:
    """Write the card that a corpus needs."""
    card = {"name": folder.name, "licence": "CC0", "source": "made to measure", "synthetic": True}
    write_text(folder / "corpus.json", json.dumps(card))


def _write(path: str, folder: Path, seconds: float, sample_rate_hz: int) -> None:
    clip = speech_like(int(Path(path).stem), seconds, sample_rate_hz)
    soundfile.write(folder / path, clip, sample_rate_hz, subtype="PCM_16")
