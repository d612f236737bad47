"""How often a wrong word in a text is noticed, and how often a right one is suspected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.alignment.aligned_text import SUSPECT_SPEECH_S
from fonoteka.alignment.aligner import AlignedWords, align_words
from fonoteka.alignment.written_words import WrittenWord, written_words
from fonoteka.manifest import Utterance
from fonoteka.models.determinism import seed_of

KINDS = ("swapped", "dropped", "added")
FEWEST_WORDS = 3
"""A shorter text is not changed: a single word that is dropped leaves no text."""


@dataclass(frozen=True)
class ScoredClip:
    """A clip and its words.

    Attributes:
        utterance: of the clip.
        words: of its text.
        scores: returns the scores of silence and phones in its frames, `[T, V]`.
    """

    utterance: Utterance
    words: Sequence[WrittenWord]
    scores: Callable[[], NDArray[np.float64]]


def scored(utterance: Utterance, scores: Callable[[], NDArray[np.float64]]) -> ScoredClip:
    """Return a clip with the words of its text."""
    return ScoredClip(utterance, written_words(utterance.text, utterance.language), scores)


def wrong_word_rates(clips: Sequence[ScoredClip], seed: int) -> dict[str, Any]:
    """Return the shares of wrong words that are noticed, and of right ones that are suspected.

    In each clip one word, drawn by the seed and the clip's id, is swapped for a word of the
    language, dropped, or one more is added before it. A dropped word is noticed if the word after
    it is suspect, or the speech at the end is.

    Args:
        clips: with their right texts; those of fewer than `FEWEST_WORDS` words are left out.
        seed: of the draws.
    """
    usable = [clip for clip in clips if len(clip.words) >= FEWEST_WORDS]
    vocabulary = _vocabulary(usable)
    noticed: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    suspected: list[bool] = []
    for clip in usable:
        scores, duration_s = clip.scores(), clip.utterance.duration_s
        if (right := align_words(clip.words, scores, duration_s)) is None:
            continue
        suspected += [word.is_suspect for word in right.words]
        random = np.random.default_rng(seed_of(seed, clip.utterance.id))
        others = vocabulary[clip.utterance.language]
        for kind, words, index in _wrong_texts(clip.words, others, random):
            if (wrong := align_words(words, scores, duration_s)) is not None:
                noticed[kind].append(_is_noticed(wrong, index))
    shares = {"false_alarms": suspected, **noticed}
    return {"clips": len(usable), "words": len(suspected)} | {
        name: round(float(np.mean(values)), 4) if values else None
        for name, values in shares.items()
    }


def _vocabulary(clips: Sequence[ScoredClip]) -> Mapping[str, list[WrittenWord]]:
    """Return the words of each language, sorted so that a draw is the same on every machine."""
    words: dict[str, set[WrittenWord]] = {}
    for clip in clips:
        words.setdefault(clip.utterance.language, set()).update(clip.words)
    return {
        language: sorted(own, key=lambda word: (word.text, word.spoken, word.phones))
        for language, own in words.items()
    }


def _wrong_texts(
    words: Sequence[WrittenWord], others: Sequence[WrittenWord], random: np.random.Generator
) -> Iterator[tuple[str, list[WrittenWord], int]]:
    """Yield kinds of change, the changed words, and the index at which each is to be noticed."""
    index = int(random.integers(len(words)))
    other = others[int(random.integers(len(others)))]
    before, after = list(words[:index]), list(words[index + 1 :])
    if other.phones != words[index].phones:
        yield "swapped", [*before, other, *after], index
    yield "dropped", [*before, *after], index
    yield "added", [*before, other, words[index], *after], index


def _is_noticed(wrong: AlignedWords, index: int) -> bool:
    if index == len(wrong.words):
        return wrong.unexplained_s > SUSPECT_SPEECH_S
    return wrong.words[index].is_suspect
