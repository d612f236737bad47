"""Posteriors are decoded to symbols by the best path."""

from __future__ import annotations

import numpy as np
import pytest

from fonoteka.phones import LABELS
from fonoteka.scoring.decoding import DecodedSegment, frame_range, greedy, segment_label

NAMES = ["", "a", "b"]


def path(*best, labels=3, probability=0.9):
    """Return log posteriors whose most likely labels are `best`."""
    rest = (1 - probability) / (labels - 1)
    rows = np.full((len(best), labels), rest, dtype=np.float32)
    rows[np.arange(len(best)), best] = probability
    return np.log(rows)


@pytest.mark.parametrize(
    ("best", "expected"),
    [
        ((1, 1, 1), "a"),
        ((1, 0, 1), "aa"),
        ((1, 1, 0, 0, 1, 2, 2), "aab"),
        ((0, 1, 2, 1, 0), "aba"),
        ((0, 0, 0), ""),
    ],
)
def test_repeats_are_merged_unless_a_blank_separates_them(best, expected):
    assert "".join(s.symbol for s in greedy(path(*best), NAMES)) == expected


def test_a_segment_has_the_frames_in_which_its_symbol_is_most_likely():
    assert greedy(path(0, 1, 1, 0, 2), NAMES) == [
        DecodedSegment("a", 1, 3),
        DecodedSegment("b", 4, 5),
    ]


def test_no_frames_give_no_symbols():
    assert greedy(np.zeros((0, 3), dtype=np.float32), NAMES) == []


def test_the_default_labels_are_the_inventory():
    decoded = greedy(path(*range(len(LABELS)), labels=len(LABELS)))
    assert [s.symbol for s in decoded] == list(LABELS[1:])


@pytest.mark.parametrize("decode", [greedy, lambda x, names: segment_label(x, 0, 1, names)])
def test_posteriors_that_are_nan_are_refused(decode):
    broken = path(1, 1, 1)
    broken[1, 2] = np.nan
    with pytest.raises(ValueError, match="posteriors are NaN, first in frame 1"):
        decode(broken, NAMES)
    with pytest.raises(ValueError, match="posteriors are NaN, first in frame 0"):
        decode(np.full((3, 3), np.nan, dtype=np.float32), NAMES)


@pytest.mark.parametrize("shape", [(4, 2), (4,), (1, 4, 3)])
def test_posteriors_of_another_width_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected posteriors \[T, 3\], found"):
        greedy(np.zeros(shape, dtype=np.float32), NAMES)


def test_a_segment_is_labelled_by_its_maximum_and_not_by_its_mean():
    # b is certain in one frame, a slightly more likely in the nine others: the mean would give a
    posteriors = np.array([[0.01, 0.01, 0.98]] + 9 * [[0.98, 0.015, 0.005]], dtype=np.float32)
    assert np.log(posteriors).mean(axis=0)[1:].argmax() == 0
    assert segment_label(np.log(posteriors), 0, 10, NAMES) == "b"


def test_a_segment_is_never_labelled_blank():
    assert segment_label(np.log([[0.98, 0.005, 0.015]]).astype("f4"), 0, 1, NAMES) == "b"


def test_frames_outside_a_segment_do_not_label_it():
    assert segment_label(path(2, 1, 2), 1, 2, NAMES) == "a"
    assert segment_label(path(1, 2, 2), -5, 1, NAMES) == "a"


@pytest.mark.parametrize(("start", "end"), [(3, 9), (1, 1)])
def test_a_segment_without_a_frame_is_refused(start, end):
    with pytest.raises(ValueError, match=rf"segment \[{start}, {end}\) contains none of 3 frames"):
        segment_label(path(1, 1, 1), start, end, NAMES)


@pytest.mark.parametrize(
    ("start_s", "end_s", "frames"),
    [
        (0.0, 0.02, (0, 1)),
        (0.0, 0.0, (0, 1)),
        (0.1, 0.1, (5, 6)),
        (0.1, 0.3, (5, 15)),
        (0.98, 1.0, (49, 50)),
        (1.0, 1.2, (49, 50)),
        (5.0, 6.0, (49, 50)),
        (0.0, 9.0, (0, 50)),
    ],
)
def test_a_segment_has_at_least_one_frame_and_none_beyond_the_end(start_s, end_s, frames):
    assert frame_range(start_s, end_s, 50) == frames
