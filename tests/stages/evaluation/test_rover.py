"""A mean is that of mathematics; a vote depends on the symbols and not on the members' order."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteka.phones import INVENTORY, LABELS
from fonoteka.scoring.decoding import greedy
from stages.evaluation.ensemble.rover import DecodedSymbol, average, decode, elect, network, vote

BUSY = settings(deadline=None)  # a busy machine is not a failure
THIRDS = [1 / 3] * 3
SYMBOLS = st.lists(st.sampled_from("abcd"), max_size=8)
MEMBERS = st.lists(SYMBOLS, min_size=1, max_size=3)


def equally(*sequences, confidence=0.5):
    """Members with the same confidence in each symbol."""
    return [[DecodedSymbol(symbol, confidence) for symbol in sequence] for sequence in sequences]


def random_posteriors(seed, frames=20, columns=51):
    rows = np.random.default_rng(seed).normal(0.0, 4.0, size=(frames, columns))
    return (rows - np.logaddexp.reduce(rows, axis=1, keepdims=True)).astype(np.float32)


def symbols(slots, member):
    return [slot[member].symbol for slot in slots if slot[member] is not None]


def test_the_average_of_one_model_is_that_model_bit_for_bit():
    member = random_posteriors(1)
    assert np.array_equal(average([member], [1.0]), member)


def test_the_average_is_the_weighted_mean_of_probabilities():
    members, weights = [random_posteriors(seed) for seed in range(3)], [0.5, 0.2, 0.3]
    mean = average(members, weights)
    expected = sum(w * np.exp(m.astype(np.float64)) for w, m in zip(weights, members, strict=True))
    assert mean.dtype == np.float32
    # float32 holds 24 bits of a log posterior of up to 32
    np.testing.assert_allclose(mean, np.log(expected), atol=32 * 2**-23)
    np.testing.assert_allclose(np.exp(mean.astype(np.float64)).sum(axis=1), 1.0, atol=1e-5)


@BUSY
@given(st.integers(0, 1000), st.permutations(range(3)))
def test_the_average_lies_between_its_members_whatever_their_order(seed, order):
    members, weights = [random_posteriors(seed + n, 3, 4) for n in range(3)], [0.1, 0.3, 0.6]
    mean = average(members, weights)
    assert (mean >= np.min(members, axis=0) - 1e-5).all()
    assert (mean <= np.max(members, axis=0) + 1e-5).all()
    moved = average([members[n] for n in order], [weights[n] for n in order])
    np.testing.assert_allclose(moved, mean, rtol=1e-6)  # the order of a sum moves its last bit


def test_posteriors_too_small_for_an_exponential_are_kept():
    tiny = np.full((1, 2), -2000.0, dtype=np.float32)  # exp underflows below -745
    np.testing.assert_array_equal(average([tiny, tiny], [0.5, 0.5]), tiny)


def test_what_is_impossible_for_all_stays_so_and_for_one_does_not():
    never = np.array([[-np.inf, 0.0]], dtype=np.float32)
    half = np.log(np.array([[0.5, 0.5]], dtype=np.float32))
    assert average([never, never], [0.5, 0.5])[0, 0] == -np.inf
    np.testing.assert_allclose(np.exp(average([never, half], [0.5, 0.5])), [[0.25, 0.75]], 1e-6)


def test_members_with_other_frames_are_refused_with_the_numbers():
    with pytest.raises(ValueError, match=r"same frames, found \[\(20, 51\), \(19, 51\)\]"):
        average([random_posteriors(1), random_posteriors(2, 19)], [0.5, 0.5])
    with pytest.raises(ValueError, match=r"expected posteriors \[T, V\].*found \[\(3,\)\]"):
        average([np.zeros(3, dtype=np.float32)], [1.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_broken_member_is_refused(bad):
    broken = random_posteriors(2)
    broken[7, 3] = bad
    with pytest.raises(ValueError, match=r"member 1 hold a NaN or \+inf"):
        average([random_posteriors(1), broken], [0.5, 0.5])


@pytest.mark.parametrize("weights", [[0.5], [0.5, 0.6], [0.0, 1.0], [-0.5, 1.5], [0.5, math.nan]])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(ValueError, match="a weight above 0 for each of 2 members, together 1"):
        average([random_posteriors(1)] * 2, weights)
    with pytest.raises(ValueError, match="a weight above 0 for each of 2 members, together 1"):
        vote(equally("a", "a"), weights, 0.5)
    with pytest.raises(ValueError, match="a weight above 0 for each of 2 members, together 1"):
        elect(network(equally("a", "a")), weights, 0.5)


def test_an_empty_ensemble_is_refused():
    with pytest.raises(ValueError, match="each of 0 members"):
        average([], [])
    with pytest.raises(ValueError, match="each of 0 members"):
        vote([], [], 0.5)


def test_the_confidence_in_a_symbol_is_its_peak_posterior():
    rows = np.full((4, len(LABELS)), 0.1 / (len(LABELS) - 1))
    for position, (column, p) in enumerate([(3, 0.6), (3, 0.8), (0, 0.9), (5, 0.7)]):
        rows[position, column] = p
    decoded = decode(np.log(rows).astype(np.float32))
    assert [h.symbol for h in decoded] == [INVENTORY[2], INVENTORY[4]]
    assert [h.confidence for h in decoded] == pytest.approx([0.8, 0.7], rel=1e-6)


def test_the_decoded_symbols_are_those_of_greedy():
    posteriors = random_posteriors(5, 60)
    assert [h.symbol for h in decode(posteriors)] == [s.symbol for s in greedy(posteriors)]
    assert decode(posteriors[:0]) == []


def test_posteriors_of_other_labels_are_refused():
    with pytest.raises(ValueError, match=r"expected posteriors \[T, 51\], found \(4,\)"):
        decode(np.zeros(4, dtype=np.float32))


@BUSY
@given(MEMBERS)
def test_a_network_contains_each_members_symbols_and_no_empty_slot(sequences):
    slots = network(equally(*sequences))
    assert [symbols(slots, m) for m in range(len(sequences))] == sequences
    assert all(any(slot) for slot in slots)
    assert max(map(len, sequences)) <= len(slots) <= sum(map(len, sequences))


@BUSY
@given(MEMBERS.flatmap(lambda x: st.tuples(st.just(x), st.permutations(range(len(x))))))
def test_a_network_does_not_depend_on_the_order_of_members(case):
    sequences, order = case
    members = equally(*sequences)
    moved = network([members[m] for m in order])
    assert moved == [tuple(slot[m] for m in order) for slot in network(members)]


def test_what_two_members_insert_at_one_place_is_aligned_among_them():
    slots = network(equally("ad", "abcd", "acd"))
    columns = [tuple(h.symbol if h else "-" for h in slot) for slot in slots]
    assert columns == [("a", "a", "a"), ("-", "b", "-"), ("-", "c", "c"), ("d", "d", "d")]


@BUSY
@given(SYMBOLS, st.floats(0.01, 1), st.floats(0, 1))
def test_one_member_alone_is_itself(sequence, confidence, null_confidence):
    assert vote(equally(sequence, confidence=confidence), [1.0], null_confidence) == sequence


@BUSY
@given(SYMBOLS, st.sampled_from([2, 3]), st.floats(0, 1))
def test_members_that_agree_are_believed(agreed, count, null_confidence):
    assert vote(equally(*[agreed] * count), [1 / count] * count, null_confidence) == agreed


@BUSY
@given(SYMBOLS, SYMBOLS, st.integers(0, 2))
def test_two_of_three_with_equal_confidence_beat_the_third(agreed, other, position):
    members = [agreed, agreed]
    members.insert(position, other)
    assert vote(equally(*members), THIRDS, 0.5) == agreed


@BUSY
@given(st.integers(0, 10_000), st.sampled_from([2, 3]))
def test_the_order_of_equal_members_does_not_matter(seed, count):
    rng = np.random.default_rng(seed)  # confidences of 53 random bits leave no tie
    members = [
        [DecodedSymbol("abc"[rng.integers(3)], rng.random()) for _ in range(rng.integers(7))]
        for _ in range(count)
    ]
    null_confidence = rng.random()
    winners = {tuple(vote(p, [1 / count] * count, null_confidence)) for p in permutations(members)}
    assert len(winners) == 1


def test_a_heavy_or_sure_member_outvotes_two():
    members = equally("aba", "aca", "aca")
    assert vote(members, [0.6, 0.2, 0.2], 0.5) == list("aba")
    members[0] = [DecodedSymbol(s, 0.9) for s in "aba"]
    members[1:] = equally("aca", "aca", confidence=0.4)
    assert vote(members, THIRDS, 0.5) == list("aba")


@pytest.mark.parametrize(("null_confidence", "expected"), [(0.0, "aba"), (0.2, "aba"), (0.3, "aa")])
def test_a_symbol_of_one_member_stands_while_silence_is_trusted_less(null_confidence, expected):
    # one vote of 0.5 against two of null_confidence
    assert vote(equally("aba", "aa", "aa"), THIRDS, null_confidence) == list(expected)


def test_on_equal_scores_a_symbol_beats_none_and_the_first_member_the_second():
    assert vote(equally("ab", "a"), [0.5, 0.5], 0.5) == ["a", "b"]
    assert vote(equally("b", "a"), [0.5, 0.5], 0.5) == ["b"]


def test_no_symbols_elect_nothing():
    assert vote(equally("", "", ""), THIRDS, 0.5) == []
    assert vote(equally("", "ab"), [0.9, 0.1], 0.5) == []


@pytest.mark.parametrize("null_confidence", [-0.1, 1.1, math.nan])
def test_a_null_confidence_outside_0_to_1_is_refused(null_confidence):
    with pytest.raises(ValueError, match="null_confidence must be 0 to 1, found"):
        vote(equally("a"), [1.0], null_confidence)
