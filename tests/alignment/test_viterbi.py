"""The best path is that of a search through all paths, and long recordings need little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.alignment.viterbi import best_path

SILENCE = 0


def chain(phones):
    """Return labels and options of phones with an optional silence around each."""
    labels, optional = [SILENCE], [True]
    for phone in phones:
        labels += [phone, SILENCE]
        optional += [False, True]
    return labels, optional


def all_paths(frames, optional):
    """Yield every path, as the states of its frames."""
    count = len(optional)

    def longer(path):
        if len(path) == frames:
            if path[-1] == count - 1 or (path[-1] == count - 2 and optional[-1]):
                yield path
            return
        for move in (0, 1, 2):
            state = path[-1] + move
            if state < count and (move < 2 or optional[state - 1]):
                yield from longer([*path, state])

    for start in range(2 if optional[0] and count > 1 else 1):
        yield from longer([start])


def total(scores, labels, path):
    return sum(scores[frame, labels[state]] for frame, state in enumerate(path))


@given(
    st.integers(0, 10_000), st.integers(1, 7), st.lists(st.integers(1, 3), min_size=1, max_size=3)
)
def test_no_path_is_better(seed, frames, phones):
    scores = np.random.default_rng(seed).normal(size=(frames, 4))
    labels, optional = chain(phones)
    path = best_path(scores, labels, optional)
    others = [total(scores, labels, other) for other in all_paths(frames, optional)]
    if path is None:
        assert not others
    else:
        assert total(scores, labels, path.tolist()) == pytest.approx(max(others))


def test_a_chain_without_optional_states_visits_all():
    scores = np.zeros((5, 4))
    path = best_path(scores, [1, 2, 3], [False, False, False])
    assert path.tolist() == [0, 1, 2, 2, 2]  # of equal paths, the one that is there first


def test_too_few_frames_and_forbidden_labels_have_no_path():
    labels, optional = chain([1, 2, 3])
    assert best_path(np.zeros((2, 4)), labels, optional) is None
    assert best_path(np.zeros((0, 4)), labels, optional) is None
    scores = np.zeros((9, 4))
    scores[:, 2] = -np.inf
    assert best_path(scores, labels, optional) is None


def test_an_hour_needs_the_memory_of_its_square_root():
    random = np.random.default_rng(1)
    phones = random.integers(1, 40, size=300)
    labels, optional = chain(phones)
    states = np.sort(random.integers(0, len(labels), size=9_000))
    scores = np.full((len(states), 40), -8.0, dtype=np.float32)
    scores[np.arange(len(states)), np.asarray(labels)[states]] = -0.1
    tracemalloc.start()
    path = best_path(scores, labels, optional)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(path) == len(states)
    assert np.mean(np.asarray(labels)[path] == np.asarray(labels)[states]) > 0.99
    # Back pointers alone would have 9,000 x 601 bytes.
    assert peak < 9_000 * 601 / 3
