"""The plain path of CTC, which the aligner is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray

from fonoteka.audio.dsp import FRAMES_PER_SECOND
from fonoteka.models.ctc import min_ctc_frames
from fonoteka.phones import NUMBER


def plain_times(
    log_probs: NDArray[np.float32], phones: Sequence[str], duration_s: float
) -> list[tuple[float, float]] | None:
    """Return `(start, end)` in seconds of each phone, or None if there are too few frames.

    The peaks of the best CTC path, each with half of the blanks around.

    Args:
        log_probs: log posteriors `[T, V]` over `LABELS`, 50 frames per second.
        phones: of the clip, in order.
        duration_s: of the clip; no time exceeds it.
    """
    targets = torch.tensor([[NUMBER[p] for p in phones]], dtype=torch.int32)
    if len(log_probs) < min_ctc_frames(phones):
        return None
    path, _ = torchaudio.functional.forced_align(
        torch.from_numpy(log_probs)[None], targets, blank=0
    )
    ids = path[0].numpy()
    edges = np.flatnonzero(np.diff(ids, prepend=-1, append=-1))
    peaks = [(int(a), int(b)) for a, b in pairwise(edges) if ids[a] != 0]
    assert len(peaks) == len(phones)
    cuts = [(a[1] + b[0]) / 2 for a, b in pairwise(peaks)]
    starts, ends = [peaks[0][0], *cuts], [*cuts, peaks[-1][1]]
    seconds = [
        (min(a / FRAMES_PER_SECOND, duration_s), min(b / FRAMES_PER_SECOND, duration_s))
        for a, b in zip(starts, ends, strict=True)
    ]
    return [(round(a, 4), round(b, 4)) for a, b in seconds]
