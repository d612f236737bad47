"""Errors equal a count by hand, and fewer speakers give wider intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteka.scoring import error_rate
from fonoteka.scoring.error_rate import (
    Errors,
    Interval,
    aligned,
    bootstrap,
    bootstrap_of,
    count_errors,
    errors,
    paired_bootstrap,
    percentile_interval,
    resampled,
)

PHONES = st.lists(st.sampled_from(["a", "tʃ", "dʒ", "aɪ"]), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "counts"),
    [
        ("k i t e n", "k i t e n", (0, 0, 0)),
        ("k i t e n", "s i t i n g", (2, 0, 1)),  # kitten and sitting, without the double t
        ("a b", "", (0, 2, 0)),
        ("a", "b a b", (0, 0, 2)),
        ("tʃ a", "t ʃ a", (1, 0, 1)),  # one phone of two letters is not two phones
    ],
)
def test_errors_equal_a_count_by_hand(reference, hypothesis, counts):
    result = errors([reference.split()], [hypothesis.split()])
    assert (result.substitutions, result.deletions, result.insertions) == counts
    assert result.rate == sum(counts) / len(reference.split())


def test_utterances_are_weighted_by_their_phones():
    # 1 of 1 and 0 of 3 wrong is 1 of 4, not the mean of 1 and 0
    assert errors([["a"], ["a", "b", "a"]], [["b"], ["a", "b", "a"]]).rate == 0.25


@settings(deadline=None, max_examples=30)
@given(reference=PHONES, hypothesis=PHONES)
def test_errors_agree_with_the_edit_distance(reference, hypothesis):
    # Wagner and Fischer 1974, one row at a time
    row = list(range(len(hypothesis) + 1))
    for i, symbol in enumerate(reference, start=1):
        last, row = row, [i]
        for j, other in enumerate(hypothesis, start=1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (symbol != other)))
    assert errors([reference], [hypothesis]).wrong == row[-1]


@settings(deadline=None, max_examples=60)
@given(reference=PHONES, hypothesis=PHONES | st.just([]))
def test_an_alignment_has_the_errors_and_both_sides(reference, hypothesis):
    pairs = aligned(reference, hypothesis)
    assert count_errors(pairs) == errors([reference], [hypothesis])
    assert [symbol for symbol, _ in pairs if symbol is not None] == reference
    assert [symbol for _, symbol in pairs if symbol is not None] == hypothesis


def test_a_hypothesis_without_a_reference_has_insertions():
    assert aligned([], ["a", "b"]) == [(None, "a"), (None, "b")]
    assert count_errors(aligned([], ["a", "b"])) == Errors(insertions=2)
    assert aligned([], []) == []


def test_an_alignment_pairs_the_symbols():
    assert aligned(["tʃ", "a", "t"], ["ʃ", "a"]) == [("tʃ", "ʃ"), ("a", "a"), ("t", None)]


def test_errors_add_up():
    assert Errors(1, 2, 3, 4) + Errors(10, 20, 30, 40) == Errors(11, 22, 33, 44)
    assert errors([], []) == Errors()


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="2 references but 1 hypotheses"):
        errors([["a"], ["b"]], [["a"]])
    with pytest.raises(ValueError, match="1 references but 2 hypotheses"):
        errors([["a"]], [["a"], ["b"]])


@pytest.mark.parametrize("bad", [[], ["a b"], ["a", ""]])
def test_a_reference_that_is_empty_or_contains_a_space_is_refused(bad):
    with pytest.raises(ValueError, match="reference 1 is empty or contains a space"):
        errors([["a"], bad], [["a"], ["a"]])


def test_a_rate_needs_a_reference():
    with pytest.raises(ValueError, match="no rate without a reference symbol"):
        _ = Errors(insertions=1).rate


def test_equal_speakers_give_an_interval_of_no_width():
    result = bootstrap([(3, 20)] * 7, 200, seed=1)
    assert (result.low, result.high, result.reason) == (0.15, 0.15, "")


@pytest.mark.parametrize("pairs", [[], [(1, 10)]])
def test_one_speaker_has_no_interval_but_a_reason(pairs):
    result = bootstrap(pairs, 100, seed=1)
    assert (result.low, result.high) == (None, None)
    assert result.reason == "one speaker: no interval over speakers"


def test_an_interval_excludes_a_fortieth_of_the_values_on_either_side():
    assert percentile_interval(np.arange(1001.0)) == Interval(25.0, 975.0)


def test_fewer_speakers_give_a_wider_interval():
    widths = []
    for repeats in (2, 8, 32):
        result = bootstrap([(1, 10), (3, 10)] * repeats, 2000, seed=1)
        widths.append(result.high - result.low)
    # the width falls with the root of the number: halved twice, within a fifth
    assert widths == sorted(widths, reverse=True)
    assert widths[1] / widths[2] == pytest.approx(2, rel=0.2)


def test_an_interval_is_determined_by_its_seed_and_contains_the_rate():
    pairs = [(int(n), 20) for n in np.random.default_rng(0).integers(0, 9, 12)]
    first, again = bootstrap(pairs, 500, seed=3), bootstrap(pairs, 500, seed=3)
    assert first == again != bootstrap(pairs, 500, seed=4)
    assert first.low < sum(n for n, _ in pairs) / 240 < first.high


def test_a_ratio_has_the_same_interval_as_a_general_statistic():
    pairs = [(1, 10), (2, 12), (5, 9)]
    result = bootstrap_of(
        np.array(pairs, dtype=float), lambda s: s[..., 0] / s[..., 1], 300, seed=2
    )
    assert result == bootstrap(pairs, 300, seed=2)


def test_a_statistic_of_one_speaker_has_no_interval():
    result = bootstrap_of(np.ones((1, 4, 2)), lambda sums: sums.sum(axis=(-2, -1)), 10, seed=1)
    assert (result.low, result.reason) == (None, "one speaker: no interval over speakers")


def test_draws_do_not_depend_on_the_chunk_size(monkeypatch):
    table = np.random.default_rng(0).random((5, 3, 2))
    whole = resampled(table, 50, seed=1)
    assert whole.shape == (50, 3, 2)
    monkeypatch.setattr(error_rate, "CHUNK_VALUES", 7 * table.size)
    assert np.array_equal(resampled(table, 50, seed=1), whole)
    monkeypatch.setattr(error_rate, "CHUNK_VALUES", 1)
    assert np.array_equal(resampled(table, 50, seed=1), whole)


def test_a_consistent_difference_is_found_although_the_intervals_overlap():
    hard = {f"s{n}": 10 * n for n in range(1, 9)}
    ours = {s: Errors(wrong, reference=100) for s, wrong in hard.items()}
    theirs = {s: Errors(wrong + 2, reference=100) for s, wrong in hard.items()}
    separate = bootstrap([(e.wrong, e.reference) for e in ours.values()], 500, seed=1)
    assert separate.high - separate.low > 0.2
    difference, better = paired_bootstrap(ours, theirs, 500, seed=1)
    assert (difference.low, difference.high) == (pytest.approx(-0.02), pytest.approx(-0.02))
    assert better == 1.0


def test_equal_errors_differ_by_nothing():
    same = {"a": Errors(1, reference=10), "b": Errors(5, reference=10)}
    assert paired_bootstrap(same, same, 100, seed=1) == (Interval(0.0, 0.0), 0.0)


def test_a_pair_needs_the_same_speakers_and_two_of_them():
    single = {"a": Errors(reference=10)}
    assert paired_bootstrap(single, single, 100, seed=1)[1] is None
    with pytest.raises(ValueError, match=r"the test parts differ: \{'a': 10\} and \{'b': 10\}"):
        paired_bootstrap(single, {"b": Errors(reference=10)}, 100, seed=1)
    with pytest.raises(ValueError, match=r"the test parts differ: \{'a': 10\} and \{'a': 9\}"):
        paired_bootstrap(single, {"a": Errors(reference=9)}, 100, seed=1)
