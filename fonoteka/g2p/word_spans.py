"""The spans of words in the phones of a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from fonoteka.g2p.g2p import phones_of


def word_phone_spans(
    normalized: str, language: str, phones: Sequence[str]
) -> list[tuple[str, int, int]]:
    """Return each word with the indices `[first, end)` of its phones.

    A single word can have other phones than in a sentence (English `the`, `a`), so the phones of
    single words are aligned with those of the sentence by edit distance. A word without a phone is
    omitted.

    >>> word_phone_spans("ja i ti", "bs", ("j", "a", "i", "t", "i"))
    [('ja', 0, 2), ('i', 2, 3), ('ti', 3, 5)]
    """
    words = normalized.split()
    isolated: list[str] = []
    edges = [0]
    for word in words:
        isolated += phones_of(word, language)
        edges.append(len(isolated))
    sentence_edges = matched_edges(isolated, phones, edges)
    spans = zip(words, sentence_edges[:-1], sentence_edges[1:], strict=True)
    return [(word, first, after) for word, first, after in spans if after > first]


def matched_edges(
    isolated: Sequence[str], sentence: Sequence[str], edges: Sequence[int]
) -> list[int]:
    """Return the indices in `sentence` that correspond to edges in `isolated`."""
    mapped: dict[int, int] = {}
    for op in Levenshtein.opcodes(isolated, sentence):
        for index in range(op.src_start, op.src_end + 1):
            target = min(op.dest_end, op.dest_start + (index - op.src_start))
            # If two operations meet at an edge, the first one decides.
            mapped.setdefault(index, target if op.src_end > op.src_start else op.dest_start)
    mapped[len(isolated)] = len(sentence)
    return [mapped.get(edge, 0) for edge in edges]
