"""Decisions in C++ and Python are the same, with hysteresis, hold and peaks."""

from __future__ import annotations

import numpy as np
import pytest
from host_programs import DECISIONS, run_program
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.realtime.decisions import Decider, DecisionSettings, sound_times_s
from fonoteka.realtime.events import pick_peaks
from fonoteka.realtime.frame_labels import TASKS


def posteriors(name, hops=4000, seed=1):
    """Return outputs of a model that change as in speech, and flicker at the edges."""
    rng = np.random.default_rng(seed)
    count = len(TASKS[name].names)
    if count == 1:
        slow = np.convolve(rng.standard_normal(hops + 20), np.ones(20), "valid")[:hops]
        logits = 1.5 * slow + 0.7 * rng.standard_normal(hops)
        return (1 / (1 + np.exp(-logits))).astype(np.float32)[:, None]
    label = np.repeat(rng.integers(count, size=hops), rng.integers(2, 20, hops))[:hops]
    logits = rng.standard_normal((hops, count))
    logits[np.arange(hops), label] += 3
    powers = np.exp(logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def in_cpp(program, name, outputs):
    """Return the status, value and change of each hop, `[T, 3]`."""
    lines = run_program(program, "decisions", name, data=outputs.tobytes()).split()
    return np.array(lines, np.int64).reshape(-1, 3)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_cpp_and_python_decide_the_same(name, programs):
    outputs = posteriors(name)
    # Ties, exact thresholds, and outputs that are not finite.
    outputs[100:110] = outputs[100]
    outputs[200:203] = DECISIONS[name].threshold
    outputs[300:303] = np.array([np.nan, np.inf, -np.inf], np.float32)[:, None]
    outputs[400, -1] = np.nan
    result = in_cpp(programs("harness"), name, outputs)
    values, changed = Decider(DECISIONS[name]).run(outputs)
    assert result[:, 1].tolist() == values.tolist()
    assert result[:, 2].tolist() == changed.tolist()
    assert np.flatnonzero(result[:, 0] == 2).tolist() == [300, 301, 302, 400]
    assert changed.sum() > 50


@pytest.mark.parametrize("name", sorted(TASKS))
def test_hops_in_blocks_are_decided_as_at_once(name):
    outputs = posteriors(name, 500)
    whole, decider = Decider(DECISIONS[name]).run(outputs), Decider(DECISIONS[name])
    parts = [decider.run(part) for part in np.split(outputs, [1, 2, 50, 333])]
    assert np.concatenate([values for values, _ in parts]).tolist() == whole[0].tolist()
    assert np.concatenate([changed for _, changed in parts]).tolist() == whole[1].tolist()
    decider.reset()
    assert decider.run(outputs)[0].tolist() == whole[0].tolist()


def test_without_hysteresis_decisions_are_those_of_each_hop():
    speech, phone, onset = (posteriors(name) for name in ("speech", "phone", "onset"))
    values, _ = Decider(DecisionSettings("state", 0.5, 0.5)).run(speech)
    assert values.tolist() == (speech[:, 0] > 0.5).tolist()
    assert Decider(DecisionSettings("label")).run(phone)[0].tolist() == phone.argmax(1).tolist()
    events = np.flatnonzero(Decider(DecisionSettings("event", 0.25, 0.25)).run(onset)[1])
    peaks = pick_peaks(onset[:, 0], 0.25)
    # A host knows a peak one hop later, and the last hop has none after it.
    assert events.tolist() == (peaks + 1)[peaks + 1 < len(onset)].tolist()


def test_the_second_of_two_equal_hops_is_the_peak():
    outputs = np.array([[0.1], [0.7], [0.7], [0.3]], np.float32)
    values, _ = Decider(DecisionSettings("event", 0.5, 0.5)).run(outputs)
    assert values.tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("output", [np.nan, np.inf, -np.inf])
def test_a_hop_with_one_output_that_is_not_finite_is_left_out(output):
    outputs = np.array([[0.2, 0.8], [0.9, output], [0.3, 0.7]], np.float32)
    values, changed = Decider(DecisionSettings("label")).run(outputs)
    assert values.tolist() == [1, 1, 1]
    assert np.flatnonzero(changed).tolist() == [0]


@given(st.lists(st.floats(0, 1, width=32), max_size=60), st.integers(1, 6))
def test_a_decision_lasts_as_long_as_its_hold(probabilities, hold):
    outputs = np.array(probabilities, np.float32)[:, None]
    for kind, release in (("state", 0.3), ("event", 0.5)):
        changed = Decider(DecisionSettings(kind, 0.5, release, 0.0, hold)).run(outputs)[1]
        assert (np.diff(np.flatnonzero(changed)) >= hold).all()


def test_a_state_stays_between_its_two_limits():
    outputs = np.array([[0.5], [0.61], [0.5], [0.41], [0.4], [0.5], [0.7]], np.float32)
    values, changed = Decider(DecisionSettings("state", 0.6, 0.4)).run(outputs)
    assert values.tolist() == [0, 1, 1, 1, 1, 1, 1]  # float32(0.4) is above 0.4
    assert np.flatnonzero(changed).tolist() == [1]
    outputs[4] = 0.39
    assert Decider(DecisionSettings("state", 0.6, 0.4)).run(outputs)[0].tolist()[4:] == [0, 0, 1]


def test_a_label_is_replaced_by_one_that_exceeds_it_by_the_margin():
    outputs = np.array([[0.5, 0.5], [0.4, 0.6], [0.25, 0.75], [0.55, 0.45]], np.float32)
    values, _ = Decider(DecisionSettings("label", margin=0.25)).run(outputs)
    assert values.tolist() == [0, 0, 1, 1]


def test_the_time_in_the_sound_is_before_the_decision():
    state, event = DecisionSettings("state", 0.5, 0.5), DecisionSettings("event", 0.5, 0.5)
    assert sound_times_s([10], state, 3, 0.01)[0] == pytest.approx(0.075)
    assert sound_times_s([10], event, 3, 0.01)[0] == pytest.approx(0.065)


@pytest.mark.parametrize(
    ("values", "words"),
    [(("peak",), "kind 'peak' is not one of"), (("state", 0.4, 0.6), "release <= threshold"),
     (("label", 0.0, 0.0, -0.1), "margin >= 0"), (("event", 0.5, 0.5, 0.0, 0), "hold_hops >= 1")],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        DecisionSettings(*values)
