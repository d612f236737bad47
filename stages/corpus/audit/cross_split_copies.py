"""Find recordings that are in two splits, by their sound alone: names and formats do not matter.

The audit shares no code with the stage that removes duplicates. Clips that share marks at one lag
(see `shard_digest`) are compared as waveforms. They are one recording if their correlation is
higher than that of two takes. A copy at another speed or pitch is not found: such copies are
declared in the column `parent`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.manifest import Utterance
from fonoteka.shards import read_clips
from stages.corpus.audit.leakage import Leak, Parts
from stages.corpus.audit.shard_digest import ClipDigest

MIN_COSINE = 0.85
"""Least cosine of two marks that match. 99 % of real digits that were re-encoded or made noisy at
20 dB have two such marks."""
LAG_SLACK = 2
"""Spectra, 20 ms: noise moves the loudest moment by that much."""
BLOCK_MARKS = 4096
"""Marks that are compared at a time: 64 MiB of cosines."""
PAIRS_PER_READ = 2000
"""Pairs that are compared between two readings of the shards: at most 4,000 clips in memory."""
MIN_OVERLAP = 0.5
"""The least overlap of two aligned clips, as a share of the shorter one."""
BAND_HZ = (100.0, 3400.0)


def cross_split_duplicates(
    parts: Parts, digests: Mapping[str, ClipDigest], folder: Path, min_correlation: float
) -> list[Leak]:
    """Return the recordings that are in two splits, each as a pair of clips.

    Time grows with the product of the splits' sizes, but as a matrix product: 2,000 clips take one
    second, 100,000 clips some minutes.

    Args:
        parts: the utterances of each split.
        digests: by the utterances' `audio`.
        folder: data/audio.
        min_correlation: 0 to 1; two waveforms that reach it count as one recording.
    """
    proposed: list[tuple[str, str]] = []
    for first, other in combinations(parts, 2):
        pairs = candidate_pairs(
            _digests_by_id(parts[first], digests), _digests_by_id(parts[other], digests)
        )
        proposed += [
            pair for pair in pairs if pair[0] != pair[1]
        ]  # one id twice is a leak of kind `id`
    part_of = {row.id: part for part, rows in parts.items() for row in rows}
    audio = {row.id: row.audio for rows in parts.values() for row in rows}
    leaks = []
    for (first, other), similarity in _correlations(proposed, audio, folder):
        if similarity >= min_correlation:
            clips = {part_of[first]: (first,), part_of[other]: (other,)}
            leaks.append(Leak("recording", f"{first} = {other}", clips))
    return sorted(leaks, key=lambda leak: leak.value)


def _digests_by_id(
    rows: Sequence[Utterance], digests: Mapping[str, ClipDigest]
) -> dict[str, ClipDigest]:
    return {row.id: digests[row.audio] for row in rows if not digests[row.audio].problem}


def candidate_pairs(
    left: Mapping[str, ClipDigest], right: Mapping[str, ClipDigest]
) -> list[tuple[str, str]]:
    """Return the pairs that share two marks at one lag, or one mark if a clip has only one."""
    lags: dict[tuple[str, str], list[int]] = defaultdict(list)
    right_blocks = list(_blocks(right))
    for left_ids, left_moments, left_marks in _blocks(left):
        for right_ids, right_moments, right_marks in right_blocks:
            for i, j in np.argwhere(left_marks @ right_marks.T > MIN_COSINE):
                lags[left_ids[i], right_ids[j]].append(int(left_moments[i] - right_moments[j]))
    return sorted(
        (left_id, right_id)
        for (left_id, right_id), pair_lags in lags.items()
        if most_at_one_lag(pair_lags)
        >= min(2, len(left[left_id].moments), len(right[right_id].moments))
    )


def _blocks(
    clips: Mapping[str, ClipDigest],
) -> Iterator[tuple[list[str], NDArray[np.int64], NDArray[np.float32]]]:
    """Yield all marks in blocks of about `BLOCK_MARKS`: clip ids, moments and marks."""
    ids, moments, marks = [], [], []
    for id_, digest in sorted(clips.items()):
        ids += [id_] * len(digest.moments)
        moments.append(digest.moments)
        marks.append(digest.marks)
        if len(ids) >= BLOCK_MARKS:
            yield ids, np.concatenate(moments), np.concatenate(marks)
            ids, moments, marks = [], [], []
    if ids:
        yield ids, np.concatenate(moments), np.concatenate(marks)


def most_at_one_lag(lags: Sequence[int]) -> int:
    """Return how many lags lie within `LAG_SLACK` of one of them.

    >>> most_at_one_lag([3, 40, 4, -7])
    2
    """
    return max(sum(abs(lag - middle) <= LAG_SLACK for lag in lags) for middle in lags)


def _correlations(
    pairs: Sequence[tuple[str, str]], audio: Mapping[str, str], folder: Path
) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield each pair with its correlation; the clips of `PAIRS_PER_READ` pairs are in memory."""
    for start in range(0, len(pairs), PAIRS_PER_READ):
        batch = pairs[start : start + PAIRS_PER_READ]
        wanted = {id_: audio[id_] for pair in batch for id_ in pair}
        signals = dict(read_clips(folder, wanted))
        for first, other in batch:
            yield (first, other), correlation(signals[first], signals[other])


def correlation(left: Signal, right: Signal) -> float:
    """Return the correlation of two waveforms at their best lag, over their overlap, -1 to 1.

    It is 0 if the overlap is shorter than `MIN_OVERLAP` of the shorter clip. Only the band of a
    telephone counts. Two takes of a digit reached 0.83 for one voice and 0.73 for two voices;
    copies through codecs, with noise at 20 dB and with cuts stayed above 0.95.

    Args:
        left: samples at 16 kHz, shape `[T]`.
        right: samples at 16 kHz, shape `[U]`.

    >>> noise = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    >>> round(correlation(noise, 0.3 * noise[2000:]), 2)
    1.0
    """
    size = 1 << (len(left) + len(right) - 1).bit_length()
    hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ)
    band = (hz > BAND_HZ[0]) & (hz < BAND_HZ[1])
    spectra = [np.fft.rfft(signal, size) * band for signal in (left, right)]
    lags = np.fft.irfft(spectra[0] * np.conj(spectra[1]), size)
    lag = int(lags.argmax())
    lag -= size if lag > size // 2 else 0
    left_start, right_start = max(lag, 0), max(-lag, 0)
    length = min(len(left) - left_start, len(right) - right_start)
    if length < MIN_OVERLAP * min(len(left), len(right)):
        return 0.0
    left_band = np.fft.irfft(spectra[0], size)[left_start : left_start + length]
    right_band = np.fft.irfft(spectra[1], size)[right_start : right_start + length]
    power = float(np.sqrt((left_band @ left_band) * (right_band @ right_band)))
    return float(left_band @ right_band) / power if power > 0 else 0.0
