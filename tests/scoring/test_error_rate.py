"""Errors are counted as by hand, and few speakers leave much doubt."""

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
    counted,
    errors,
    interval_of,
    paired_bootstrap,
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
        ("tʃ a", "t ʃ a", (1, 0, 1)),  # one phone of two letters isn't two phones
    ],
)
def test_errors_are_those_counted_by_hand(reference, hypothesis, counts):
    found = errors([reference.split()], [hypothesis.split()])
    assert (found.substitutions, found.deletions, found.insertions) == counts
    assert found.rate == sum(counts) / len(reference.split())


def test_utterances_are_weighed_by_their_phones():
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
    assert counted(pairs) == errors([reference], [hypothesis])
    assert [said for said, _ in pairs if said is not None] == reference
    assert [heard for _, heard in pairs if heard is not None] == hypothesis


def test_what_is_heard_where_nothing_is_said_is_put_in():
    assert aligned([], ["a", "b"]) == [(None, "a"), (None, "b")]
    assert counted(aligned([], ["a", "b"])) == Errors(insertions=2)
    assert aligned([], []) == []


def test_an_alignment_says_what_was_taken_for_what():
    assert aligned(["tʃ", "a", "t"], ["ʃ", "a"]) == [("tʃ", "ʃ"), ("a", "a"), ("t", None)]


def test_errors_add_up():
    assert Errors(1, 2, 3, 4) + Errors(10, 20, 30, 40) == Errors(11, 22, 33, 44)
    assert errors([], []) == Errors()


def test_lists_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="2 references but 1 hypotheses"):
        errors([["a"], ["b"]], [["a"]])
    with pytest.raises(ValueError, match="1 references but 2 hypotheses"):
        errors([["a"]], [["a"], ["b"]])


@pytest.mark.parametrize("bad", [[], ["a b"], ["a", ""]])
def test_a_reference_that_is_empty_or_holds_a_space_is_refused(bad):
    with pytest.raises(ValueError, match="reference 1 is empty or holds a space"):
        errors([["a"], bad], [["a"], ["a"]])


def test_a_rate_needs_a_reference():
    with pytest.raises(ValueError, match="no rate without a reference symbol"):
        _ = Errors(insertions=1).rate


def test_equal_speakers_leave_no_doubt():
    found = bootstrap([(3, 20)] * 7, 200, seed=1)
    assert (found.low, found.high, found.reason) == (0.15, 0.15, "")


@pytest.mark.parametrize("pairs", [[], [(1, 10)]])
def test_one_speaker_has_no_interval_and_the_reason_is_said(pairs):
    found = bootstrap(pairs, 100, seed=1)
    assert (found.low, found.high) == (None, None)
    assert found.reason == "one speaker: no interval over speakers"


def test_an_interval_leaves_a_fortieth_of_the_draws_out_on_either_side():
    assert interval_of(np.arange(1001.0)) == Interval(25.0, 975.0)


def test_fewer_speakers_leave_a_wider_interval():
    widths = []
    for repeats in (2, 8, 32):
        found = bootstrap([(1, 10), (3, 10)] * repeats, 2000, seed=1)
        widths.append(found.high - found.low)
    # the width falls with the root of the number: halved twice, within a fifth
    assert widths == sorted(widths, reverse=True)
    assert widths[1] / widths[2] == pytest.approx(2, rel=0.2)


def test_an_interval_repeats_with_its_seed_and_holds_the_rate():
    pairs = [(int(n), 20) for n in np.random.default_rng(0).integers(0, 9, 12)]
    first, again = bootstrap(pairs, 500, seed=3), bootstrap(pairs, 500, seed=3)
    assert first == again != bootstrap(pairs, 500, seed=4)
    assert first.low < sum(n for n, _ in pairs) / 240 < first.high


def test_any_figure_of_sums_has_an_interval_and_a_ratio_has_that_of_bootstrap():
    pairs = [(1, 10), (2, 12), (5, 9)]
    found = bootstrap_of(np.array(pairs, dtype=float), lambda s: s[..., 0] / s[..., 1], 300, seed=2)
    assert found == bootstrap(pairs, 300, seed=2)


def test_a_figure_of_one_speaker_has_no_interval():
    found = bootstrap_of(np.ones((1, 4, 2)), lambda sums: sums.sum(axis=(-2, -1)), 10, seed=1)
    assert (found.low, found.reason) == (None, "one speaker: no interval over speakers")


def test_draws_are_the_same_however_many_are_held_at_once(monkeypatch):
    table = np.random.default_rng(0).random((5, 3, 2))
    whole = resampled(table, 50, seed=1)
    assert whole.shape == (50, 3, 2)
    monkeypatch.setattr(error_rate, "AT_ONCE", 7 * table.size)
    assert np.array_equal(resampled(table, 50, seed=1), whole)
    monkeypatch.setattr(error_rate, "AT_ONCE", 1)
    assert np.array_equal(resampled(table, 50, seed=1), whole)


def test_a_small_sure_difference_shows_where_two_wide_intervals_overlap():
    hard = {f"s{n}": 10 * n for n in range(1, 9)}
    ours = {s: Errors(wrong, reference=100) for s, wrong in hard.items()}
    theirs = {s: Errors(wrong + 2, reference=100) for s, wrong in hard.items()}
    apart = bootstrap([(e.wrong, e.reference) for e in ours.values()], 500, seed=1)
    assert apart.high - apart.low > 0.2
    difference, better = paired_bootstrap(ours, theirs, 500, seed=1)
    assert (difference.low, difference.high) == (pytest.approx(-0.02), pytest.approx(-0.02))
    assert better == 1.0


def test_equal_errors_differ_by_nothing():
    same = {"a": Errors(1, reference=10), "b": Errors(5, reference=10)}
    assert paired_bootstrap(same, same, 100, seed=1) == (Interval(0.0, 0.0), 0.0)


def test_a_pair_needs_the_same_speakers_and_two_of_them():
    one = {"a": Errors(reference=10)}
    assert paired_bootstrap(one, one, 100, seed=1)[1] is None
    with pytest.raises(ValueError, match=r"not the same test part: \{'a': 10\} and \{'b': 10\}"):
        paired_bootstrap(one, {"b": Errors(reference=10)}, 100, seed=1)
    with pytest.raises(ValueError, match=r"not the same test part: \{'a': 10\} and \{'a': 9\}"):
        paired_bootstrap(one, {"a": Errors(reference=9)}, 100, seed=1)
