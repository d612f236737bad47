"""Pairs of voices are found in blocks as they are without, and names are divided as by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from fonoteka.voices import compare_voices
from fonoteka.voices.compare_voices import alike_pairs, least_alike_division, nearest_other_part
from fonoteka.voices.store import quantised

RANDOM = np.random.default_rng(0)


def voices(count, spread=0.3):
    """Return whole-number vectors that are alike to some degree."""
    values = np.abs(0.5 + spread * RANDOM.standard_normal((count, 256)))
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    return quantised(unit).astype(np.float64)


def cosines_of(values):
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    return unit @ unit.T


def test_blocks_find_the_pairs_that_a_loop_finds(monkeypatch):
    values, parts = voices(50), RANDOM.integers(0, 3, 50)
    groups = np.where(RANDOM.random(50) < 0.4, 1, -1)
    cosines = cosines_of(values)
    expected = {False: [], True: []}
    compared = {False: 0, True: 0}
    for i, j in combinations(range(50), 2):
        if parts[i] != parts[j]:
            inside = groups[i] == groups[j] == 1
            compared[inside] += 1
            if cosines[i, j] >= 0.75:
                expected[inside].append((cosines[i, j], i, j))
    monkeypatch.setattr(compare_voices, "BLOCK", 7)
    for kind, result in enumerate(alike_pairs(values, parts, groups, 0.75, listed=5)):
        nearest = sorted(expected[bool(kind)], reverse=True)
        assert (result.compared, result.count) == (compared[bool(kind)], len(nearest))
        assert [pair[:2] for pair in result.nearest] == [pair[1:] for pair in nearest[:5]]
    assert expected[False]
    assert expected[True]


def test_the_nearest_voice_of_another_part_is_found_in_blocks(monkeypatch):
    values, parts = voices(20), np.array([0] * 12 + [1] * 8)
    cosines = cosines_of(values)
    monkeypatch.setattr(compare_voices, "BLOCK", 3)
    nearest = nearest_other_part(values, parts)
    assert nearest[:12] == pytest.approx(cosines[:12, 12:].max(axis=1))
    assert nearest[12:] == pytest.approx(cosines[12:, :12].max(axis=1))
    assert np.isnan(nearest_other_part(values, np.zeros(20, np.int64))).all()


def test_sums_do_not_depend_on_the_order_of_the_products():
    values = voices(300)
    shuffled = RANDOM.permutation(256)
    # Whole numbers below 2**53: a rounding would differ with the order of the coordinates.
    assert np.array_equal(values @ values.T, values[:, shuffled] @ values[:, shuffled].T)


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_the_least_alike_division_is_that_of_a_search_by_hand(count):
    pieces = voices(count, spread=1.0)

    def cosine(half):
        inside = pieces[list(half)].sum(axis=0)
        outside = pieces.sum(axis=0) - inside
        return inside @ outside / np.linalg.norm(inside) / np.linalg.norm(outside)

    halves = [h for size in range(1, count) for h in combinations(range(count), size)]
    value, smaller = least_alike_division(pieces)
    assert value == pytest.approx(min(map(cosine, halves)))
    assert cosine(smaller) == pytest.approx(value)
    assert 2 * len(smaller) <= count


def test_one_piece_cannot_be_divided():
    assert least_alike_division(voices(1)) == (1.0, ())
