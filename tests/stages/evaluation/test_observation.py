"""One pass observes each utterance's decoded phones, and refuses broken posteriors."""

from __future__ import annotations

import numpy as np
import pytest
from posterior_maker import named_as, part_of, said_as, save_part

from fonoteka.phones import INVENTORY, LABELS
from fonoteka.scoring.error_rate import Errors
from stages.evaluation.observation import observe, open_posteriors, read_segments


def phones_of(utterances):
    return {u.id: [INVENTORY.index(p) for p in u.phones] for u in utterances}


def observed(utterances, arrays, segments=None):
    labels = phones_of(utterances) if segments is None else segments
    return list(observe(utterances, arrays, labels, "posteriors"))


def test_each_utterance_has_its_errors_and_its_segments():
    utterances, arrays, _ = part_of()
    observations = observed(utterances, arrays)
    assert [o.errors for o in observations] == [
        Errors(0, 0, 0, 2), Errors(1, 0, 0, 2), Errors(0, 1, 0, 2), Errors(0, 0, 1, 3),
    ]  # fmt: skip
    assert [o.right.tolist() for o in observations] == [
        [True] * 2,
        [True, False],
        [True, False],
        [True] * 3,
    ]
    assert [o.decoded for o in observations] == [2, 2, 1, 4]
    assert observations[1].pairs == (("d", "d"), ("a", "o"))
    assert np.concatenate([o.confidence for o in observations]) == pytest.approx(0.8)


def test_a_phone_is_near_when_it_is_among_the_three_most_likely():
    utterances, arrays, _ = part_of([("a/x", "hr", "a e i o", "a", "b b b b")])
    for row, better in enumerate((1, 2, 3, 4)):  # phones more likely than the label
        probabilities = np.full(len(INVENTORY), 1e-6)
        probabilities[-better:] = 0.2
        probabilities[INVENTORY.index(utterances[0].phones[row])] = 0.1
        arrays["u0#segments"][row] = np.log(probabilities / probabilities.sum())
    assert observed(utterances, arrays)[0].near.tolist() == [True, True, False, False]


def test_the_int8_file_is_scored_beside_the_other():
    utterances, arrays, _ = part_of(light=["d a", "d a", "n", "h i"])
    observations = observed(utterances, arrays)
    assert [o.int8_errors.wrong for o in observations] == [0, 0, 1, 1]
    assert [o.int8_changed for o in observations] == [0, 1, 0, 2]  # d o to d a; m and s left out


def test_without_an_int8_file_there_are_no_pairs_of_it():
    utterances, arrays, _ = part_of()
    assert {o.int8_pairs for o in observed(utterances, arrays)} == {None}


def test_all_decoded_phones_are_insertions_if_the_reference_is_empty():
    utterances, arrays, _ = part_of([("a/x", "hr", "", "d a", "")])
    (silent,) = observed(utterances, arrays)
    assert silent.errors == Errors(insertions=2)
    lengths = [len(x) for x in (silent.labels, silent.predicted, silent.confidence, silent.near)]
    assert lengths == [0, 0, 0, 0]


def test_an_utterance_without_segments_needs_no_scores():
    utterances, arrays, _ = part_of()
    del arrays["u2#segments"]
    observations = observed(utterances, arrays, phones_of(utterances) | {"u2": []})
    assert [len(o.labels) for o in observations] == [2, 2, 0, 3]


@pytest.mark.parametrize("key", ["u1", "u1#int8"])
def test_missing_posteriors_are_refused(key):
    utterances, arrays, _ = part_of(light=["a", "a", "a", "a"])
    del arrays[key]
    message = (
        rf"posteriors: posteriors of 1 of 4 .* missing, first '{key}'; run the stage posteriors"
    )
    with pytest.raises(ValueError, match=message):
        observed(utterances, arrays)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("u1", "posteriors are NaN, first in frame 0; train or export the model again"),
        ("u1#int8", "posteriors are NaN, first in frame 0; train or export the model again"),
        ("u1#segments", "NaN or no log probabilities; the model is broken"),
    ],
)
def test_posteriors_that_are_not_numbers_are_refused(key, message):
    utterances, arrays, _ = part_of(light=["a", "a", "a", "a"])
    arrays[key][0, 3] = np.nan
    with pytest.raises(ValueError, match=f"posteriors: '{key}': {message}"):
        observed(utterances, arrays)


@pytest.mark.parametrize("key", ["u1", "u1#int8"])
def test_posteriors_of_another_width_are_refused(key):
    utterances, arrays, _ = part_of(light=["a", "a", "a", "a"])
    arrays[key] = arrays[key][:, 1:]
    width = len(LABELS)
    with pytest.raises(ValueError, match=rf"'{key}': expected posteriors \[T, {width}\], found"):
        observed(utterances, arrays)


@pytest.mark.parametrize("scores", [named_as("d"), named_as("d a o"), said_as("d")[:2]])
def test_scores_that_do_not_fit_the_segments_are_refused(scores):
    utterances, arrays, _ = part_of()
    arrays["u1#segments"] = scores
    message = rf"'u1#segments': expected scores \[2, {len(INVENTORY)}\] of 2 segments, found"
    with pytest.raises(ValueError, match=message):
        observed(utterances, arrays)


def test_missing_scores_are_refused():
    utterances, arrays, _ = part_of()
    del arrays["u3#segments"]
    with pytest.raises(ValueError, match=r"'u3#segments': expected scores \[3, .* found \[0, "):
        observed(utterances, arrays)


def test_scores_that_are_not_probabilities_are_refused():
    utterances, arrays, _ = part_of()
    arrays["u0#segments"] += 1
    with pytest.raises(ValueError, match="'u0#segments': NaN or no log probabilities"):
        observed(utterances, arrays)


def test_segments_are_those_of_the_test_part_in_their_order(tmp_path):
    utterances, arrays, segments = part_of()
    segment_table = read_segments(save_part(tmp_path, utterances, arrays, segments)[2], utterances)
    assert segment_table.phones == phones_of(utterances)
    assert segment_table.origins == ["corpus"]


def test_segments_of_another_test_part_are_refused(tmp_path):
    utterances, arrays, segments = part_of()
    path = save_part(tmp_path, utterances, arrays, segments)[2]
    with pytest.raises(ValueError, match=r"segments of 1 utterances .*first 'u3'; run dvc repro"):
        read_segments(path, utterances[:3])


def test_segments_of_unknown_phones_are_refused(tmp_path):
    utterances, arrays, segments = part_of()
    path = save_part(tmp_path, utterances, arrays, segments.replace("e", "ø"))[2]
    with pytest.raises(ValueError, match=r"phones that are not in the inventory: \['ø'\]"):
        read_segments(path, utterances)


def test_no_posteriors_are_refused(tmp_path):
    with pytest.raises(ValueError, match="nothing: no posteriors; run the stage posteriors"):
        open_posteriors(tmp_path / "nothing")
