"""Times of the phones of a clip by the aligner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fonoteka.alignment.phone_times import place_phones
from fonoteka.manifest import Utterance


def placed_times(
    scores: NDArray[np.float64], utterance: Utterance, words: Sequence[tuple[str, int, int]]
) -> list[tuple[float, float]] | None:
    """Return `(start, end)` of each phone by the aligner, or None if there are too few frames.

    Args:
        scores: of silence and phones, `[T, V]`.
        utterance: whose phones are placed.
        words: the spans of its words in its phones.
    """
    starts = {first for _, first, _ in words}
    placed = place_phones(scores, utterance.phones, starts, utterance.duration_s)
    return None if placed is None else [(phone.start_s, phone.end_s) for phone in placed.phones]
