"""Hysteresis is chosen on validation streams, and never loses more than it may."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stream_maker import GRID, small

from fonoteka.core.files import read_json
from fonoteka.packaging import PACKAGE
from fonoteka.realtime.decisions import Decider
from fonoteka.realtime.events import hop_counts
from fonoteka.realtime.frame_labels import TASKS, delayed
from stages.realtime.package_realtime.decision_tuning import (
    DecisionEvaluator,
    choose,
    labelled_streams,
)

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small(tmp_path_factory)


@pytest.fixture(scope="module")
def streams(folder):
    return labelled_streams(folder / "toy" / "streams", folder / "toy" / "times.parquet")


def evaluator_of(folder, streams, name, flicker=None):
    """Return the evaluator of a model; `flicker` replaces its outputs by labels with that noise."""
    metadata = read_json(folder / "models" / name / "model.json")
    graph = folder / "export" / name / f"{name}.onnx"
    evaluator = DecisionEvaluator(metadata, graph, streams, 0.01, 0.02, 20)
    if flicker is not None:
        rng = np.random.default_rng(1)
        count = len(evaluator.spec.names)
        for part, truths in evaluator.truths.items():
            outputs = []
            for truth in truths:
                labels = delayed(truth, evaluator.delay)
                right = np.eye(count)[labels] if count > 1 else labels[:, None].astype(float)
                noise = flicker * rng.random((len(labels), count))
                outputs.append(((1 - flicker) * right + noise).astype(np.float32))
            evaluator.outputs[part] = outputs
    return evaluator


@pytest.mark.parametrize("name", sorted(TASKS))
def test_package_json_has_the_choice_and_its_figures(name, folder, streams):
    entry = read_json(folder / "realtime" / PACKAGE)["models"][name]["decision"]
    evaluator = evaluator_of(folder, streams, name)
    chosen, plain = choose(evaluator, GRID, 0.5)
    assert {key: entry[key] for key in vars(chosen)} == vars(chosen)
    assert entry["validation"]["with_hysteresis"] == vars(evaluator.figures(chosen, "valid"))
    assert entry["test"]["hop_by_hop"] == vars(evaluator.figures(plain, "test"))
    assert (plain.hold_hops, plain.margin, plain.threshold - plain.release) == (1, 0, 0)


def test_the_figures_are_those_of_the_decisions(folder, streams):
    evaluator = evaluator_of(folder, streams, "speech", flicker=0.6)
    _, plain = choose(evaluator, GRID, 0.5)
    pairs = zip(evaluator.outputs["test"], evaluator.truths["test"], strict=True)
    changes, counts = 0, []
    for outputs, truth in pairs:
        values, changed = Decider(plain).run(outputs)
        assert values.tolist() == (outputs[:, 0] > 0.5).tolist()
        changes += changed.sum()
        counts.append(hop_counts(values, delayed(truth, evaluator.delay)))
    figures = evaluator.figures(plain, "test")
    assert figures.changes == changes
    assert figures.score == pytest.approx(sum(counts[1:], counts[0]).f1, abs=1e-4)
    assert figures.true_changes == sum(
        np.count_nonzero(np.diff(truth)) for truth in evaluator.truths["test"]
    )


@pytest.mark.parametrize("name", ["speech", "viseme"])
def test_outputs_that_flicker_get_a_hysteresis(name, folder, streams):
    # With this noise about a tenth of the hops are on the wrong side of 0.5.
    evaluator = evaluator_of(folder, streams, name, flicker=0.55)
    chosen, plain = choose(evaluator, GRID, 0.5)
    before, after = (evaluator.figures(each, "valid") for each in (plain, chosen))
    assert chosen != plain
    assert abs(after.changes - after.true_changes) < abs(before.changes - before.true_changes)
    assert after.score >= before.score - GRID.max_score_loss


@pytest.mark.parametrize("name", ["speech", "viseme"])
def test_right_outputs_get_no_hysteresis(name, folder, streams):
    evaluator = evaluator_of(folder, streams, name, flicker=0.0)
    chosen, plain = choose(evaluator, GRID, 0.5)
    assert chosen == plain
    figures = evaluator.figures(chosen, "valid")
    # Phones of the toy streams last 50 ms or more, so the first hop of a stream alone may differ.
    assert figures.score > 0.99
    assert figures.latency_ms_p50 == 10 * (evaluator.delay + 1)


def test_what_costs_too_much_is_not_chosen(folder, streams):
    evaluator = evaluator_of(folder, streams, "speech", flicker=0.55)
    late = replace(GRID, holds=(1, 50), max_latency_hops=0.5)
    chosen, plain = choose(evaluator, late, 0.5)
    before, after = (evaluator.figures(each, "valid") for each in (plain, chosen))
    assert after.latency_ms_p50 <= before.latency_ms_p50 + 5


@pytest.mark.parametrize(
    ("values", "words"),
    [({"max_score_loss": -0.1}, "at least 0 and max_change_hops at least 1, found -0.1"),
     ({"max_change_hops": 0}, "max_change_hops at least 1"), ({"holds": ()}, "at least one value"),
     ({"holds": (0, 1)}, "holds from 1"), ({"margins": (-0.1,)}, "margins from 0")],
)  # fmt: skip
def test_a_grid_that_makes_no_sense_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        replace(GRID, **values)


def test_events_are_chosen_by_their_f1(folder, streams):
    evaluator = evaluator_of(folder, streams, "onset", flicker=0.3)
    scores = [evaluator.figures(s, "valid").score for s in GRID.settings("event", 0.5)]
    chosen, _ = choose(evaluator, GRID, 0.5)
    assert evaluator.figures(chosen, "valid").score == max(scores)


def test_a_part_without_streams_is_refused(folder, tmp_path):
    import pandas as pd

    table = pd.read_parquet(folder / "toy" / "times.parquet")
    table[table["part"] != "valid"].to_parquet(tmp_path / "times.parquet")
    with pytest.raises(ValueError, match="the part valid has no stream"):
        labelled_streams(folder / "toy" / "streams", tmp_path / "times.parquet")
