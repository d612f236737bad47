"""Find the pairs of clips that hold one recording: propose few by their prints, compare those.

The inventory made the prints, so a clip is decoded here only where it is proposed with another.
Nothing of a clip but its print outlives its turn, so memory grows by some 400 bytes a clip.
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
from stages.corpus.dedupe.groups import Copy, Entry


@dataclass(frozen=True)
class Found:
    """What a search for copies found.

    Attributes:
        copies: pairs at least as alike as was asked, sorted.
        proposed: pairs that were compared.
        nearest: the highest similarity of a pair that is not alike enough; 0 where there is none.
        unheard: why clips have no print, with their number.
    """

    copies: tuple[Copy, ...]
    proposed: int
    nearest: float
    unheard: dict[str, int]


def find_copies(
    entries: Sequence[Entry],
    prints: Codes,
    raw: Path,
    similarity: float,
    outside_s: float,
    workers: int,
) -> Found:
    """Return the pairs of clips that hold one recording.

    Args:
        entries: clips, sorted by id.
        prints: of each, shape `[clips, codes]`; zeros are no codes.
        raw: the folder that their paths lie in.
        similarity: at which two clips are copies, see `fonoteka.fingerprint.similarity`.
        outside_s: how much of a clip may be missing from the other one at either end.
        workers: processes; nothing in the result depends on them.
    """
    pairs = candidate_pairs(prints, [entry.duration_s for entry in entries])
    jobs = [
        (entries[first].path, tuple(entries[pair[1]].path for pair in group))
        for first, group in groupby(pairs.tolist(), key=lambda pair: pair[0])
    ]
    with _mapper(min(workers, len(jobs))) as spread:
        matched = spread(partial(matches_of, raw=raw, outside_s=outside_s), jobs)
        found = [one for many in matched for one in many]
    copies = tuple(
        Copy(entries[first].id, entries[second].id, round(one.similarity, 3), round(one.lag_s, 3))
        for (first, second), one in zip(pairs.tolist(), found, strict=True)
        if one.is_copy(similarity)
    )
    others = [one.similarity for one in found if not one.is_copy(similarity)]
    return Found(copies, len(found), round(max(others, default=0.0), 3), _unheard(entries, prints))


def _unheard(entries: Sequence[Entry], prints: Codes) -> dict[str, int]:
    """Return why clips have no print, with their number."""
    without = np.flatnonzero(~prints.any(axis=1)).tolist()
    rates = (entries[place].sample_rate_hz for place in without)
    low = f"below {MIN_RATE_HZ} Hz"
    return dict(Counter(low if rate < MIN_RATE_HZ else "no sound in the band" for rate in rates))


def matches_of(job: tuple[str, tuple[str, ...]], raw: Path, outside_s: float) -> list[Match]:
    """Return how a file lies on each of some others."""
    first = _wave(raw / job[0])
    return [match(first, _wave(raw / path), outside_s) for path in job[1]]


def _wave(path: Path) -> Wave:
    samples, rate_hz = read_sound(path)
    return telephone_band(select_channel(samples, rate_hz), rate_hz)


@contextmanager
def _mapper(workers: int) -> Iterator[Any]:
    """Give a `map` over processes, or one in this process where a single one is asked for."""
    if workers <= 1:
        with threadpool_limits(limits=1):
            yield map
        return
    with ProcessPoolExecutor(workers, initializer=_begin) as pool:
        yield partial(pool.map, chunksize=4)


def _begin() -> None:
    """Make a worker that ends with its parent and leaves the other cores to the other workers."""
    die_with_parent()
    threadpool_limits(limits=1)
