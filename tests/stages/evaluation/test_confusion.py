"""Each segment is counted once in the confusion matrix, and undefined rates are NaN, not 0."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, precision_recall_fscore_support

from stages.evaluation.evaluate.confusion import balanced_accuracy, class_rates, counts_of, shares

# Three of class 0 are right and one is predicted as 1; 2 is never predicted; 3 is never a label.
LABELS = np.array([0, 0, 0, 0, 1, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 3])


def test_rows_are_labels_and_columns_predictions():
    assert counts_of(LABELS, PREDICTED, 4).tolist() == [
        [3, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0],
    ]  # fmt: skip


def test_no_labels_give_a_matrix_of_zeros():
    nothing = np.array([], dtype=np.intp)
    assert counts_of(nothing, nothing, 2).tolist() == [[0, 0], [0, 0]]


def test_rates_are_those_counted_by_hand():
    rates = class_rates(counts_of(LABELS, PREDICTED, 4))
    nan = pytest.approx(np.nan, nan_ok=True)
    assert rates.precision.tolist() == [1.0, 0.5, nan, 0.0]
    assert rates.recall.tolist() == [0.75, 1.0, 0.0, nan]
    assert rates.f1.tolist() == [pytest.approx(6 / 7), pytest.approx(2 / 3), nan, nan]
    assert rates.accuracy.tolist() == pytest.approx([5 / 6, 5 / 6, 5 / 6, 5 / 6])


def test_a_class_that_is_never_predicted_rightly_has_an_f1_of_zero():
    assert class_rates(np.array([[0, 2], [1, 5]])).f1[0] == 0.0


def test_rates_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    labels = rng.integers(5, size=300)
    predicted = np.where(rng.random(300) < 0.6, labels, rng.integers(5, size=300))
    counts = counts_of(labels, predicted, 5)
    rates = class_rates(counts)
    precision, recall, f1, _ = precision_recall_fscore_support(labels, predicted)
    assert rates.precision == pytest.approx(precision)
    assert rates.recall == pytest.approx(recall)
    assert rates.f1 == pytest.approx(f1)
    sums = np.stack([np.diagonal(counts), counts.sum(axis=1)], axis=1)
    assert balanced_accuracy(sums) == pytest.approx(balanced_accuracy_score(labels, predicted))


def test_rare_and_common_classes_weigh_alike_and_classes_without_labels_nothing():
    assert balanced_accuracy(np.array([[99.0, 99.0], [0.0, 1.0], [0.0, 0.0]])) == 0.5


def test_each_draw_has_its_own_classes():
    draws = np.array([[[1.0, 2.0], [0.0, 0.0]], [[1.0, 2.0], [3.0, 3.0]]])
    assert balanced_accuracy(draws).tolist() == [0.5, 0.75]


def test_a_share_of_nothing_is_undefined():
    rates = shares(np.array([[1, 3], [0, 0]]), np.array([[4], [0]]))
    assert rates[0].tolist() == [0.25, 0.75]
    assert np.isnan(rates[1]).all()
