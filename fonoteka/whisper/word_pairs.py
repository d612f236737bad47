"""Pair the texts of clips with those that a Whisper decoded."""

from __future__ import annotations

from collections.abc import Sequence

from fonoteka.manifest import Utterance
from fonoteka.whisper.decode import Recognised
from fonoteka.whisper.word_scores import WordPair


def word_pairs(utterances: Sequence[Utterance], results: Sequence[Recognised]) -> list[WordPair]:
    """Return the reference and the hypothesis of each clip.

    Args:
        utterances: the clips.
        results: of each clip, in the same order.

    Raises:
        ValueError: the numbers of clips differ.
    """
    return [
        WordPair(u.text, result.text, u.language, u.speaker, result.looped, result.loops)
        for u, result in zip(utterances, results, strict=True)
    ]
