"""Digits of the Free Spoken Digit Dataset, joined to recordings with pauses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.audio.recorded import JoinedClips
from fonoteka.core.errors import UserError
from fonoteka.transcribe import load_recording

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NAME = re.compile(r"([0-9])_([a-z]+)_([0-9]+)\.wav")
NOISE = 1e-4
"""Level of the pauses, -80 dBFS: pocketsphinx takes the logarithm of every frame's energy."""


@dataclass(frozen=True)
class DigitJoinParams:
    """How recordings are joined.

    Attributes:
        per_speaker: recordings of each speaker.
        digits: clips in each.
        pause_s: before each clip and at the end.
        seed: of the draw.
    """

    per_speaker: int
    digits: int
    pause_s: float
    seed: int


@dataclass(frozen=True)
class Joined:
    """Digits of one speaker, one after the other.

    Attributes:
        signal: at 16 kHz, `[N]`.
        words: of the digits.
        starts_s: of their clips.
    """

    signal: Signal
    words: tuple[str, ...]
    starts_s: tuple[float, ...]


class DigitFile(NamedTuple):
    """A recording of the Free Spoken Digit Dataset, by its name."""

    speaker: str
    digit: int
    take: int
    path: Path


def digit_files(folder: Path) -> Iterator[DigitFile]:
    """Yield the recordings below a folder whose names are like 0_george_12.wav, by path."""
    for path in sorted(folder.rglob("*.wav")):
        if match := NAME.fullmatch(path.name):
            yield DigitFile(match[2], int(match[1]), int(match[3]), path)


def joined_digits(folder: Path, params: DigitJoinParams) -> list[Joined]:
    """Return recordings of digits, drawn by the seed.

    Raises:
        UserError: the folder has no clip of a digit.
    """
    speakers: dict[str, list[tuple[str, Path]]] = {}
    for file in digit_files(folder):
        speakers.setdefault(file.speaker, []).append((DIGITS[file.digit], file.path))
    if not speakers:
        raise UserError(
            f"{folder}: no file is named as in the Free Spoken Digit Dataset, 0_george_0.wav; give "
            "the folder of its recordings"
        )
    random = np.random.default_rng(params.seed)
    recordings = []
    for _, clips in sorted(speakers.items()):
        for _ in range(params.per_speaker):
            drawn = [clips[i] for i in random.permutation(len(clips))[: params.digits]]
            loaded = [(word, load_recording(path)) for word, path in drawn]
            recordings.append(join(loaded, params.pause_s, random))
    return recordings


def join(
    clips: Sequence[tuple[str, Signal]], pause_s: float, random: np.random.Generator
) -> Joined:
    """Return clips with pauses before each and at the end, over faint noise."""
    pause = np.zeros(round(pause_s * SAMPLE_RATE_HZ), dtype=np.float32)
    joined = JoinedClips(pause)
    starts_s = tuple(joined.add(signal, pause) for _, signal in clips)
    noise = NOISE * random.standard_normal(joined.length)
    signal = (joined.samples + noise).astype(np.float32)
    return Joined(signal, tuple(word for word, _ in clips), starts_s)
