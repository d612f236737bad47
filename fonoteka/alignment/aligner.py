"""Find when each word and phone of a text is spoken in a recording."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fonoteka.alignment.aligned_text import AlignedLine, AlignedPhone, AlignedText, AlignedWord
from fonoteka.alignment.emissions import emissions, frame_levels
from fonoteka.alignment.phone_times import LEAST_LOG, place_phones
from fonoteka.alignment.written_words import WrittenWord, written_words
from fonoteka.audio.dsp import FRAMES_PER_SECOND, SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError

SILENT_DB = -60.0
"""A recording without a louder frame of 20 ms has no speech; `inventory` has the same limit."""

Part = TypeVar("Part", AlignedPhone, AlignedWord)


def align_text(
    text: str, language: str, signal: Signal, log_probs: NDArray[np.float32], model: str = ""
) -> AlignedText:
    """Return a text with the times of its words and phones.

    Args:
        text: as written, in either script; its lines stay lines.
        language: `bs`, `en`, `hr` or `sr`.
        signal: the recording at 16 kHz, `[N]`.
        log_probs: log posteriors of a recogniser over `LABELS`, `[T, V]`, 50 frames per second.
        model: name of the recogniser.

    Raises:
        UserError: the text is empty or has no reading, the recording is silent, or it is shorter
            than the text can be.
    """
    lines = [words for line in text.splitlines() if (words := _words(line, language))]
    if not lines:
        raise UserError("the text is empty; give the words that are spoken")
    levels = frame_levels(signal, len(log_probs))
    if not len(levels) or levels.max() < SILENT_DB:
        raise UserError(
            f"the recording has no sound above {SILENT_DB:g} dB of full scale; no word has a time"
        )
    duration_s = len(signal) / SAMPLE_RATE_HZ
    scores = emissions(log_probs, levels)
    # Times are rounded to 0.1 ms; rounded up, the end of the last word would exceed the recording.
    words = [word for line in lines for word in line]
    aligned = align_words(words, scores, _rounded_down(duration_s))
    if aligned is None:
        count = sum(len(word.phones) for line in lines for word in line)
        raise UserError(
            f"{duration_s:.2f} s of sound are too short for the {count} phones of the text; at "
            f"most {FRAMES_PER_SECOND} fit into a second"
        )
    timed = iter(aligned.words)
    result = tuple(AlignedLine(tuple(next(timed) for _ in line)) for line in lines)
    return AlignedText(language, duration_s, result, model, aligned.unexplained_s)


@dataclass(frozen=True)
class AlignedWords:
    """Words with times, and the seconds of speech after the last one that are in no word."""

    words: list[AlignedWord]
    unexplained_s: float


def align_words(
    words: Sequence[WrittenWord], scores: NDArray[np.floating[Any]], duration_s: float
) -> AlignedWords | None:
    """Return words with their times, or None if there are too few frames.

    Args:
        words: in order, at least one.
        scores: log score of silence and of each phone in each frame, `[T, V]`.
        duration_s: of the recording.
    """
    edges = np.cumsum([0, *(len(word.phones) for word in words)]).tolist()
    phones = [phone for word in words for phone in word.phones]
    placed = place_phones(scores, phones, {*edges}, duration_s)
    if placed is None:
        return None
    timed = [
        _timed(word, placed.phones[first:after], placed.unexplained_s.get(first, 0.0))
        for word, (first, after) in zip(words, pairwise(edges), strict=True)
    ]
    return AlignedWords(timed, placed.unexplained_s.get(len(phones), 0.0))


def _words(line: str, language: str) -> list[WrittenWord]:
    return written_words(line, language) if line.strip() else []


def _timed(word: WrittenWord, phones: Sequence[AlignedPhone], unexplained_s: float) -> AlignedWord:
    """Return a word with the times of its phones."""
    logs = [max(LEAST_LOG, math.log(max(phone.score, 1e-9))) for phone in phones]
    return AlignedWord(
        word.text, phones[0].start_s, phones[-1].end_s, round(math.exp(sum(logs) / len(logs)), 4),
        tuple(phones), word.spoken, unexplained_s,
    )  # fmt: skip


def _rounded_down(seconds: float) -> float:
    """Return a time in whole units of 0.1 ms, never later than it was.

    >>> _rounded_down(2.876875), _rounded_down(2.3)
    (2.8768, 2.3)
    """
    return math.floor(seconds * 10_000 + 1e-6) / 10_000  # 2.3 * 10,000 is below 23,000


def shifted(text: AlignedText, start_s: float) -> Iterator[AlignedLine]:
    """Yield the lines of a text that begins at `start_s` of a longer recording."""

    def moved(part: Part) -> Part:
        start, end = (_rounded_down(time_s + start_s) for time_s in (part.start_s, part.end_s))
        return replace(part, start_s=start, end_s=end)

    for line in text.lines:
        words = [replace(moved(word), phones=tuple(map(moved, word.phones))) for word in line.words]
        yield AlignedLine(tuple(words))
