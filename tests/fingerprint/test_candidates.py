"""Clips with similar fingerprints are proposed, few others are, and the work stays bounded."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteka.fingerprint import candidates
from fonoteka.fingerprint.candidates import NEIGHBOURS, PARTNERS, candidate_pairs
from fonoteka.fingerprint.fingerprint import DETAIL_BITS, SIZE


def random_codes(seed: int, size: int = SIZE) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).integers(0, 2**63, size, dtype=np.uint64))


def proposed(fingerprints, seconds: float = 2.0) -> list[list[int]]:
    return candidate_pairs(together(fingerprints), [seconds] * len(fingerprints)).tolist()


def together(fingerprints) -> np.ndarray:
    """Return prints as rows of one array, filled up with zeros."""
    rows = np.zeros((len(fingerprints), SIZE), dtype=np.uint64)
    for row, first in zip(rows, fingerprints, strict=True):
        row[: len(first)] = first
    return rows


def test_of_many_clips_the_one_pair_that_shares_codes_is_proposed():
    fingerprints = [random_codes(seed) for seed in range(200)]
    fingerprints[150] = np.sort(np.r_[fingerprints[20][:6], fingerprints[150][:42]])
    assert proposed(fingerprints) == [[20, 150]]


def test_a_short_clip_needs_fewer_moments():
    first = random_codes(1)
    second = np.sort(np.r_[first[:1], random_codes(2)[:20]])
    assert candidate_pairs(together([first, second]), [2.0, 0.5]).tolist() == [[0, 1]]
    assert candidate_pairs(together([first, second]), [2.0, 1.5]).tolist() == []


def test_codes_with_many_different_low_bits_do_not_match():
    first = random_codes(1)
    half = np.uint64(0x555555)  # 12 of 24 bits, as by chance
    assert proposed([first, first ^ half]) == []
    assert proposed([first, first ^ np.uint64(0x15)]) == [[0, 1]]


def test_one_moment_counts_once_however_many_of_its_codes_agree():
    high = np.arange(1, 9, dtype=np.uint64) << np.uint64(DETAIL_BITS)
    same_moment = high | np.uint64(0xABCDEF)
    assert proposed([same_moment, same_moment]) == []
    moments = high | (np.uint64(1) << np.arange(8, dtype=np.uint64))
    assert proposed([moments, moments]) == [[0, 1]]


def test_many_copies_are_chained_together():
    pairs = proposed([random_codes(1)] * 40)
    reached = {0}
    for _ in range(40):
        reached |= {b for a, b in pairs if a in reached} | {a for a, b in pairs if b in reached}
    assert len(reached) == 40


def test_a_pattern_in_every_clip_costs_no_more_than_its_neighbours():
    common = random_codes(1, 10)
    fingerprints = [np.sort(np.r_[common, random_codes(seed, 38)]) for seed in range(2, 400)]
    assert len(proposed(fingerprints)) <= len(fingerprints) * min(PARTNERS, NEIGHBOURS)


def test_work_in_parts_gives_what_work_at_once_gives(monkeypatch):
    fingerprints = [random_codes(seed % 60) for seed in range(100)]
    at_once = proposed(fingerprints)
    monkeypatch.setattr(candidates, "_CHUNK", 64)  # of codes and of hits
    assert proposed(fingerprints) == at_once
    assert [[a, b] for a, b in at_once] == [[n, n + 60] for n in range(40)]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.integers(0, 40), max_size=6), max_size=8))
def test_pairs_are_in_order_and_of_two_clips(clips):
    fingerprints = [
        np.unique(np.array(clip, dtype=np.uint64) + np.uint64(1) << np.uint64(DETAIL_BITS))
        for clip in clips
    ]
    pairs = proposed(fingerprints, 0.5)
    assert pairs == sorted(pairs)
    assert all(0 <= a < b < len(clips) for a, b in pairs)


def test_without_clips_or_codes_there_are_no_pairs():
    assert proposed([]) == []
    assert proposed([np.empty(0, dtype=np.uint64)] * 3) == []
