"""Where the words of a sentence lie among its phones."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from fonoteka.g2p.g2p import phones_of


def word_spans(normalized: str, language: str, phones: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return each word with its phones' first index and the index after its last.

    A word alone can sound unlike the same word in a sentence (English `the`, `a`), so the words'
    own phones are matched to the sentence's by edit distance. A word that got none is left out.

    >>> word_spans("ja i ti", "bs", ("j", "a", "i", "t", "i"))
    [('ja', 0, 2), ('i', 2, 3), ('ti', 3, 5)]
    """
    words = normalized.split()
    alone: list[str] = []
    edges = [0]
    for word in words:
        alone += phones_of(word, language)
        edges.append(len(alone))
    matched = _matched_edges(alone, phones, edges)
    spans = zip(words, matched[:-1], matched[1:], strict=True)
    return [(word, first, after) for word, first, after in spans if after > first]


def _matched_edges(alone: Sequence[str], spoken: Sequence[str], edges: Sequence[int]) -> list[int]:
    """Return where the given edges in `alone` fall in `spoken`."""
    moved: dict[int, int] = {}
    for op in Levenshtein.opcodes(alone, spoken):
        for at in range(op.src_start, op.src_end + 1):
            inside = min(op.dest_end, op.dest_start + (at - op.src_start))
            # Of two steps that meet at an edge, the first one says where it falls.
            moved.setdefault(at, inside if op.src_end > op.src_start else op.dest_start)
    moved[len(alone)] = len(spoken)
    return [moved.get(edge, 0) for edge in edges]
