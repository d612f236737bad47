"""Metrics of a stream: worked out by hand, and properties of any stream."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streaming_maker import phone, random_updates, update

from fonoteka.scoring import errors
from fonoteka.streaming.stream_metrics import (
    committed_changed,
    score_stream,
    tail_changes,
)

A, B, C, D = phone("a", 0.1), phone("b", 0.2), phone("c", 0.3), phone("d", 0.4)
TRUTH = [("a", 0.1, 0.2), ("b", 0.2, 0.3), ("c", 0.3, 0.4), ("d", 0.4, 0.5)]


def lags(updates, reference=TRUTH):
    return [
        (round(lag.after_end_s, 6), round(lag.after_start_s, 6))
        for lag in score_stream(updates, reference).lags
    ]


def test_a_lag_counts_from_the_true_phone_to_the_update_that_committed_it():
    updates = [update(0.24, [A]), update(0.4, [B, C]), update(0.56, [D])]
    assert lags(updates) == [(0.04, 0.14), (0.1, 0.2), (0.0, 0.1), (0.06, 0.16)]


def test_a_phone_that_is_wrong_or_extra_has_no_lag():
    # a, s, c, d, u against a, b, c, d: s is wrong, and u is extra.
    updates = [update(0.24, [A, phone("s", 0.2)]), update(0.6, [C, D, phone("u", 0.5)])]
    score = score_stream(updates, TRUTH)
    assert lags(updates) == [(0.04, 0.14), (0.2, 0.3), (0.1, 0.2)]
    assert (score.errors.substitutions, score.errors.insertions) == (1, 1)


def test_a_missing_phone_does_not_shift_the_lags_after_it():
    updates = [update(0.24, [A]), update(0.48, [C, D])]
    assert lags(updates) == [(0.04, 0.14), (0.08, 0.18), (-0.02, 0.08)]
    assert score_stream(updates, TRUTH).errors.deletions == 1


def test_a_lag_is_below_zero_if_a_phone_is_committed_before_it_ends():
    assert lags([update(0.16, [A])], TRUTH[:1]) == [(-0.04, 0.06)]


def test_erasure_counts_all_shown_phones_from_the_first_that_differs():
    shown = [
        update(0.2, [], [A]),  # a
        update(0.3, [], [A, B]),  # a b: none deleted
        update(0.4, [A], [C, D]),  # a c d: b deleted
        update(0.5, [C], [B]),  # a c b: d deleted
        update(0.6, [], []),  # a c: b deleted
        update(0.7, [D], []),  # a c d
    ]
    score = score_stream(shown, TRUTH)
    assert [len(change.deleted) for change in tail_changes(shown)] == [0, 0, 1, 1, 1, 0]
    assert (score.deleted, score.final, score.erasure) == (3, 3, 1.0)
    assert (score.unstable_updates, score.updates) == (3, 6)


def test_a_phone_put_in_front_deletes_the_ones_after_it():
    changes = list(tail_changes([update(0.3, [], [B, C]), update(0.4, [], [A, B, C])]))
    assert changes[1] == (("b", "c"), ("a", "b", "c"))


def test_a_phone_whose_times_move_is_not_deleted():
    updates = [update(0.2, [], [A]), update(0.3, [replace(A, end_s=0.3)])]
    assert [change.deleted for change in tail_changes(updates)] == [(), ()]


def test_a_phone_that_becomes_committed_is_neither_deleted_nor_generated_again():
    changes = list(tail_changes([update(0.2, [], [A, B]), update(0.3, [A], [B])]))
    assert changes[1] == ((), ())


def first_of(updates, reference=TRUTH):
    return [
        (first.phone, *(time_s and round(time_s, 6) for time_s in first[1:]))
        for first in score_stream(updates, reference).first
    ]


def test_the_first_emission_counts_from_the_start_of_the_first_true_phone():
    updates = [update(0.08), update(0.2, [], [A]), update(0.28, [A])]
    assert first_of(updates) == [("a", 0.18, 0.1)]


def test_a_phone_that_ends_before_the_speech_is_not_the_first_emission():
    early = phone("s", 0.0, 0.05)
    assert first_of([update(0.08, [early]), update(0.28, [A])]) == [("a", 0.18, 0.18)]


def test_a_phone_shown_as_committed_at_once_is_shown():
    assert first_of([update(0.28, [A])]) == [("a", 0.18, 0.18)]


def test_each_pause_of_a_fifth_of_a_second_begins_an_utterance():
    truth = [("a", 0.1, 0.2), ("b", 0.39, 0.45), ("c", 0.65, 0.7), ("d", 1.0, 1.1)]
    updates = [
        update(0.3, [A]), update(0.5, [phone("b", 0.4)]), update(0.9, [phone("c", 0.66)]),
        update(1.3, [phone("d", 1.0)]),
    ]  # fmt: skip
    # b comes 0.19 s after a, c exactly 0.2 s after b.
    assert first_of(updates, truth) == [("a", 0.2, 0.2), ("c", 0.25, 0.25), ("d", 0.3, 0.3)]


def test_an_utterance_without_a_phone_does_not_take_that_of_the_next():
    truth = [("a", 0.1, 0.2), ("d", 1.0, 1.1)]
    assert first_of([update(1.3, [phone("d", 1.0)])], truth) == [("a", None, None), ("d", 0.3, 0.3)]


def test_silence_has_no_delay_no_lag_and_no_erasure():
    score = score_stream([update(1.0), update(1.0)], TRUTH)
    assert (score.first, score.lags) == ((("a", None, None),), ())
    assert (score.erasure, score.errors.deletions) == (None, 4)


@pytest.mark.parametrize(
    ("updates", "changed"),
    [
        ([update(0.4, [A, B, C])], 0),
        ([update(0.3, [A, B]), update(0.4, [phone("s", 0.15)])], 1),  # displaces b
        ([update(0.3, [A, B]), update(0.4, [phone("s", 0.05)])], 2),
        ([update(0.3, [A, B], [phone("s", 0.05)]), update(0.4, [C])], 2),  # a provisional one too
        ([update(0.3, [], [D]), update(0.4, [A, B])], 0),  # a provisional phone may be displaced
    ],
)
def test_a_committed_phone_is_changed_if_a_later_one_starts_before_it(updates, changed):
    assert committed_changed(updates) == changed


def test_a_stream_that_cannot_be_scored_is_refused():
    with pytest.raises(ValueError, match="0 true phones and 1 updates; both are needed"):
        score_stream([update(0.1)], [])
    with pytest.raises(ValueError, match=r"update 1 is at 0.1 s, before the 0.2 s"):
        score_stream([update(0.2), update(0.1)], TRUTH)
    with pytest.raises(ValueError, match="1 phones are provisional after the last update; finish"):
        score_stream([update(0.2, [], [A])], TRUTH)


@given(random_updates(), st.lists(st.sampled_from("abcd"), min_size=1))
def test_the_counts_of_any_stream_fit_together(updates, symbols):
    reference = [(symbol, 0.1 * n, 0.1 * n + 0.1) for n, symbol in enumerate(symbols)]
    score = score_stream(updates, reference)
    committed = [p.symbol for u in updates for p in u.committed]
    assert score.errors == errors([symbols], [committed])
    assert len(score.lags) == len(symbols) - score.errors.substitutions - score.errors.deletions
    generated = sum(len(change.generated) for change in tail_changes(updates))
    assert generated - score.deleted == score.final == len(committed)
    assert score.unstable_updates <= score.deleted


@given(random_updates(), st.floats(0.0, 5.0))
def test_a_stream_that_is_later_by_some_time_has_lags_longer_by_it(updates, later_s):
    reference = [("a", 0.1, 0.2), ("b", 0.2, 0.3)]
    late = [replace(u, audio_s=u.audio_s + later_s) for u in updates]
    before, after = (score_stream(each, reference).lags for each in (updates, late))
    assert [lag.after_end_s for lag in after] == pytest.approx(
        [lag.after_end_s + later_s for lag in before]
    )
    assert [lag.after_start_s - lag.after_end_s for lag in after] == pytest.approx(
        [0.1] * len(before)
    )
