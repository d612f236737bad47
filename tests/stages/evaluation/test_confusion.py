"""What is taken for what is counted once, and rates without a whole are undefined, not 0."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, precision_recall_fscore_support

from stages.evaluation.evaluate.confusion import balanced_accuracy, class_rates, counts_of, shares

# of class 0 three are right and one is taken for 1; 2 is never heard; 3 is heard and never said
SAID = np.array([0, 0, 0, 0, 1, 2])
HEARD = np.array([0, 0, 0, 1, 1, 3])


def test_a_row_is_what_was_said_and_a_column_what_was_heard():
    assert counts_of(SAID, HEARD, 4).tolist() == [
        [3, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0],
    ]  # fmt: skip


def test_nothing_said_is_a_table_of_zeros():
    nothing = np.array([], dtype=np.intp)
    assert counts_of(nothing, nothing, 2).tolist() == [[0, 0], [0, 0]]


def test_rates_are_those_counted_by_hand():
    found = class_rates(counts_of(SAID, HEARD, 4))
    nan = pytest.approx(np.nan, nan_ok=True)
    assert found.precision.tolist() == [1.0, 0.5, nan, 0.0]
    assert found.recall.tolist() == [0.75, 1.0, 0.0, nan]
    assert found.f1.tolist() == [pytest.approx(6 / 7), pytest.approx(2 / 3), nan, nan]
    assert found.accuracy.tolist() == pytest.approx([5 / 6, 5 / 6, 5 / 6, 5 / 6])


def test_a_class_heard_and_said_but_never_rightly_has_an_f1_of_zero():
    assert class_rates(np.array([[0, 2], [1, 5]])).f1[0] == 0.0


def test_rates_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    said = rng.integers(5, size=300)
    heard = np.where(rng.random(300) < 0.6, said, rng.integers(5, size=300))
    counts = counts_of(said, heard, 5)
    found = class_rates(counts)
    precision, recall, f1, _ = precision_recall_fscore_support(said, heard)
    assert found.precision == pytest.approx(precision)
    assert found.recall == pytest.approx(recall)
    assert found.f1 == pytest.approx(f1)
    sums = np.stack([np.diagonal(counts), counts.sum(axis=1)], axis=1)
    assert balanced_accuracy(sums) == pytest.approx(balanced_accuracy_score(said, heard))


def test_a_rare_class_weighs_as_much_as_a_common_one_and_one_never_said_nothing():
    assert balanced_accuracy(np.array([[99.0, 99.0], [0.0, 1.0], [0.0, 0.0]])) == 0.5


def test_each_draw_has_its_own_classes():
    draws = np.array([[[1.0, 2.0], [0.0, 0.0]], [[1.0, 2.0], [3.0, 3.0]]])
    assert balanced_accuracy(draws).tolist() == [0.5, 0.75]


def test_a_share_of_nothing_is_undefined():
    found = shares(np.array([[1, 3], [0, 0]]), np.array([[4], [0]]))
    assert found[0].tolist() == [0.25, 0.75]
    assert np.isnan(found[1]).all()
