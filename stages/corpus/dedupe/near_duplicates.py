"""Find the pairs of clips that are one recording: fingerprints propose pairs, waveforms decide.

The inventory computed the fingerprints, so only clips in a proposed pair are decoded here. Only the
fingerprints stay in memory, about 400 bytes per clip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from fonoteka.audiocheck.decode import read_sound
from fonoteka.audiocheck.downmix import select_channel
from fonoteka.core.run_stage import die_with_parent
from fonoteka.fingerprint.candidates import candidate_pairs
from fonoteka.fingerprint.fingerprint import MIN_RATE_HZ, Codes
from fonoteka.fingerprint.similarity import Match, Wave, match, telephone_band
from stages.corpus.dedupe.groups import CopyPair, DedupeClip


@dataclass(frozen=True)
class CopySearch:
    """The result of a search for copies.

    Attributes:
        copies: pairs that reach the similarity, sorted.
        proposed: the number of pairs that were compared.
        nearest: the highest similarity of a pair that does not reach it; 0 without such a pair.
        not_compared: the number of clips without a fingerprint, by reason.
    """

    copies: tuple[CopyPair, ...]
    proposed: int
    nearest: float
    not_compared: dict[str, int]


def find_copies(
    clips: Sequence[DedupeClip],
    codes: Codes,
    raw: Path,
    similarity: float,
    outside_s: float,
    workers: int,
) -> CopySearch:
    """Return the pairs of clips that are one recording.

    Args:
        clips: sorted by id.
        codes: the fingerprint of each clip, shape `[clips, codes]`; zeros are padding.
        raw: the folder of the clips' paths.
        similarity: from which two clips are copies, see `fonoteka.fingerprint.similarity`.
        outside_s: how much of a clip may be missing from the other one at either end, in seconds.
        workers: processes; the result does not depend on the number.
    """
    # Pairs are sorted, so one job decodes a clip once and compares it with all of its partners.
    pairs = candidate_pairs(codes, [entry.duration_s for entry in clips])
    jobs = [
        (clips[first].path, tuple(clips[pair[1]].path for pair in group))
        for first, group in groupby(pairs.tolist(), key=lambda pair: pair[0])
    ]
    with _process_map(min(workers, len(jobs))) as map_jobs:
        matched = map_jobs(partial(matches_of, raw=raw, outside_s=outside_s), jobs)
        matches = [each for file_matches in matched for each in file_matches]
    copies = tuple(
        CopyPair(clips[first].id, clips[second].id, round(each.similarity, 3), round(each.lag_s, 3))
        for (first, second), each in zip(pairs.tolist(), matches, strict=True)
        if each.is_copy(similarity)
    )
    below = [each.similarity for each in matches if not each.is_copy(similarity)]
    return CopySearch(
        copies, len(matches), round(max(below, default=0.0), 3), _not_compared(clips, codes)
    )


def _not_compared(clips: Sequence[DedupeClip], codes: Codes) -> dict[str, int]:
    """Return the number of clips without a fingerprint, by reason."""
    without = np.flatnonzero(~codes.any(axis=1)).tolist()
    rates = (clips[index].sample_rate_hz for index in without)
    low = f"below {MIN_RATE_HZ} Hz"
    return dict(Counter(low if rate < MIN_RATE_HZ else "no sound in the band" for rate in rates))


def matches_of(job: tuple[str, tuple[str, ...]], raw: Path, outside_s: float) -> list[Match]:
    """Return the best match of a file with each of some others."""
    first = _wave(raw / job[0])
    return [match(first, _wave(raw / path), outside_s) for path in job[1]]


def _wave(path: Path) -> Wave:
    samples, rate_hz = read_sound(path)
    return telephone_band(select_channel(samples, rate_hz), rate_hz)


@contextmanager
def _process_map(workers: int) -> Iterator[Any]:
    """Yield a `map` over processes, or the builtin one for a single worker."""
    if workers <= 1:
        with threadpool_limits(limits=1):
            yield map
        return
    with ProcessPoolExecutor(workers, initializer=_init_worker) as pool:
        yield partial(pool.map, chunksize=4)


def _init_worker() -> None:
    """Let a worker end with its parent, and leave the other cores to the other workers."""
    die_with_parent()
    threadpool_limits(limits=1)
