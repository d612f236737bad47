"""Find the pairs of clips that hold one recording: print all, propose few, compare those.

Every clip is decoded once for its print, and again only where it is proposed with another. Nothing
of a clip but its print outlives its turn, so memory grows by some 400 bytes a clip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from threadpoolctl import threadpool_limits

from stages.common.cli import die_with_parent
from stages.common.decoded import read_sound
from stages.common.likeness import Match, match, telephone_band
from stages.common.soundprint import MIN_RATE_HZ, Codes, soundprint
from stages.corpus.groups import Copy, Entry
from stages.corpus.neighbours import candidates

# What `soundfile` is known to raise on files that it can't read.
_FAULTS = (soundfile.LibsndfileError, ValueError, TypeError, RuntimeError, OSError)


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
    entries: Sequence[Entry], raw: Path, similarity: float, outside_s: float, workers: int
) -> Found:
    """Return the pairs of clips that hold one recording.

    Args:
        entries: clips, sorted by id.
        raw: the folder that their paths lie in.
        similarity: at which two clips are copies, see `stages.common.likeness`.
        outside_s: how much of a clip may be missing from the other one at either end.
        workers: processes; nothing in the result depends on them.
    """
    unheard: Counter[str] = Counter()
    with _mapper(workers) as spread:
        heard = spread(partial(print_of, raw=raw), [entry.path for entry in entries])
        pairs = candidates(_prints(heard, unheard), [entry.duration_s for entry in entries])
        jobs = [
            (entries[first].path, tuple(entries[pair[1]].path for pair in group))
            for first, group in groupby(pairs.tolist(), key=lambda pair: pair[0])
        ]
        matched = spread(partial(matches_of, raw=raw, outside_s=outside_s), jobs)
        found = [one for many in matched for one in many]
    copies = tuple(
        Copy(entries[first].id, entries[second].id, round(one.similarity, 3), round(one.lag_s, 3))
        for (first, second), one in zip(pairs.tolist(), found, strict=True)
        if one.similarity >= similarity
    )
    others = [one.similarity for one in found if one.similarity < similarity]
    return Found(copies, len(found), round(max(others, default=0.0), 3), dict(unheard))


def print_of(path: str, raw: Path) -> tuple[Codes, str]:
    """Return a file's print and why it has none; that is empty where it has one."""
    nothing = np.empty(0, dtype=np.uint64)
    try:
        samples, rate_hz = read_sound(raw / path)
    except _FAULTS:
        return nothing, "unreadable"
    if rate_hz < MIN_RATE_HZ:
        return nothing, f"below {MIN_RATE_HZ} Hz"
    codes = soundprint(samples, rate_hz)
    return codes, "" if len(codes) else "no sound in the band"


def matches_of(job: tuple[str, tuple[str, ...]], raw: Path, outside_s: float) -> list[Match]:
    """Return how a file lies on each of some others."""
    first = telephone_band(*read_sound(raw / job[0]))
    return [match(first, telephone_band(*read_sound(raw / path)), outside_s) for path in job[1]]


def _prints(heard: Iterable[tuple[Codes, str]], unheard: Counter[str]) -> Iterator[Codes]:
    """Give the prints, and count why some are empty."""
    for codes, problem in heard:
        unheard.update([problem] * bool(problem))
        yield codes


@contextmanager
def _mapper(workers: int) -> Iterator[Any]:
    """Give a `map` over processes, or one in this process where a single one is asked for."""
    if workers == 1:
        with threadpool_limits(limits=1):
            yield map
        return
    with ProcessPoolExecutor(workers, initializer=_begin) as pool:
        yield partial(pool.map, chunksize=32)


def _begin() -> None:
    """Make a worker that ends with its parent and leaves the other cores to the other workers."""
    die_with_parent()
    threadpool_limits(limits=1)
