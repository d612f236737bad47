"""Scores of the small models, hop by hop: right outputs, latency, languages and speakers."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from stream_maker import BANDS, HOP_S, SCORED, scored, small

from fonoteka.core.files import read_json, write_json
from fonoteka.realtime.events import Counts
from fonoteka.realtime.frame_labels import TASKS, delayed
from stages.realtime.evaluate_realtime import stage
from stages.realtime.evaluate_realtime.hop_scores import (
    EvaluationStream,
    StreamEvaluator,
    counts_by,
    report_of,
)
from stages.realtime.evaluate_realtime.stage import evaluation_streams

pytestmark = pytest.mark.torch
ROWS = [("z", 0.02, 0.05), ("a", 0.05, 0.10), ("p", 0.15, 0.20), ("a", 0.45, 0.50)]
HOPS = 60
DELAY = 2


def stream_of(rows=ROWS, speaker="mine/ana", source="mine", language="hr", hops=HOPS):
    names = (np.full(hops, name, dtype=object) for name in (source, language))
    return EvaluationStream(np.zeros((hops, BANDS), np.float32), rows, speaker, *names)


def evaluator_of(name, delay=DELAY):
    return StreamEvaluator({"name": name, "delay_hops": delay, "threshold": 0.5}, HOP_S, SCORED)


def right_outputs(name, rows=ROWS, late=DELAY, hops=HOPS):
    """The right outputs, `late` hops after the sound."""
    spec = TASKS[name]
    labels = delayed(spec.labels(rows, hops, HOP_S), late)
    if len(spec.names) == 1:
        return labels[:, None].astype(np.float32)
    return np.eye(len(spec.names), dtype=np.float32)[labels]


def reported(name, outputs, streams, delay=DELAY):
    evaluator = evaluator_of(name, delay)
    baseline = evaluator.majority_baseline(
        [(stream.rows, len(stream.frames)) for stream in streams]
    )
    return report_of(evaluator, iter(outputs), streams, baseline)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_right_outputs_score_one(name):
    result = reported(name, [right_outputs(name)] * 2, [stream_of(), stream_of(speaker="mine/ivo")])
    assert (result["score"], result["low"], result["high"]) == (1, 1, 1)
    assert (result["languages"], result["sources"]) == ({"hr": 1}, {"mine": 1})
    assert result["missed_changes"] == result["anticipated_changes"] == 0


@pytest.mark.parametrize("name", ["speech", "voicing", "phone", "viseme"])
def test_a_constant_model_scores_as_the_majority_baseline(name):
    names = len(TASKS[name].names)
    majority = int(evaluator_of(name).majority_baseline([(ROWS, HOPS)]))
    assert majority == (1 if names == 1 else 0)  # silence, in these rows
    outputs = np.eye(max(2, names), dtype=np.float32)[np.full(HOPS, majority)]
    result = reported(name, [outputs[:, -names:]], [stream_of()], delay=0)
    assert result["score"] == result["baseline"]
    assert 0 < result["score"] < 1


def test_the_baseline_of_two_classes_is_counted_by_hand():
    speech = TASKS["speech"].labels(ROWS, HOPS, HOP_S).sum()
    result = reported("speech", [np.zeros((HOPS, 1), np.float32)], [stream_of()])
    assert result["baseline"] == pytest.approx(2 * speech / (speech + HOPS))
    assert result["score"] == 0


def test_a_fixed_rate_is_right_for_regular_onsets():
    rows = [("a", 0.05 + 0.1 * n, 0.1 + 0.1 * n) for n in range(6)]
    result = reported("onset", [right_outputs("onset", rows)], [stream_of(rows)])
    assert result["baseline"] == 1
    assert reported("onset", [right_outputs("onset")], [stream_of()])["baseline"] < 0.7


@pytest.mark.parametrize("late", [0, 1, 4])
@pytest.mark.parametrize("name", ["speech", "voicing", "phone", "viseme"])
def test_the_latency_is_the_delay_of_the_output_and_its_own_hop(name, late):
    result = reported(name, [right_outputs(name, late=late)], [stream_of()], delay=late)
    assert result["latency_ms_p50"] == pytest.approx(10 * (late + 1))
    assert result["latency_ms_p90"] == pytest.approx(10 * (late + 1))
    assert result["score"] == 1


def test_an_onset_is_known_a_hop_after_its_peak():
    result = reported("onset", [right_outputs("onset")], [stream_of()])
    # The peak is two hops after the hop in which the phone begins; that hop and one more pass.
    assert result["latency_ms_p50"] == pytest.approx(10 * (DELAY + 2))
    assert result["changes"] == len(ROWS)


def test_onsets_count_within_their_tolerance():
    early = right_outputs("onset", late=DELAY - 1)  # 5 ms before the onset: a hop's middle
    assert reported("onset", [early], [stream_of()])["score"] == 1
    late = right_outputs("onset", late=DELAY + 2)  # 25 ms after it
    result = reported("onset", [late], [stream_of()])
    # 25 ms after the first of two neighbours is 5 ms before the second.
    assert result["score"] == pytest.approx(2 * 1 / 8)
    assert result["missed_changes"] == 3


def test_a_missed_change_is_counted():
    outputs = right_outputs("speech")
    outputs[40:] = 0
    result = reported("speech", [outputs], [stream_of()])
    counts = ("missed_changes", "anticipated_changes")
    assert result["changes"] == 4
    assert [result[key] for key in counts] == [1, 1]
    none = reported("speech", [np.zeros((HOPS, 1), np.float32)], [stream_of()])
    assert none["latency_ms_p50"] is None
    assert [none[key] for key in counts] == [2, 2]


def test_each_language_and_corpus_has_its_own_hops():
    names = np.array(["hr"] * 30 + ["en"] * 30, dtype=object)
    stream = replace(stream_of(), languages=names)
    outputs = right_outputs("phone")
    outputs[30:, :] = 0
    outputs[30:, 1] = 1
    result = reported("phone", [outputs], [stream])
    right = (right_outputs("phone")[30:].argmax(axis=1) == 1).mean()
    assert result["languages"] == {"en": pytest.approx(right), "hr": 1}
    assert result["score"] == result["sources"]["mine"] == pytest.approx((1 + right) / 2)


def test_counts_of_languages_add_up_to_those_of_all():
    evaluator, rng = evaluator_of("onset"), np.random.default_rng(1)
    streams = [replace(stream_of(), languages=rng.choice(["hr", "en"], HOPS).astype(object))] * 3
    marks = [evaluator.counts(rng.random((HOPS, 1)).astype(np.float32), s) for s in streams]
    per_language = counts_by([(m, s.languages) for m, s in zip(marks, streams, strict=True)])
    sums = [Counts(int(m.hits.sum()), int(m.extra.sum()), int(m.missed.sum())) for m in marks]
    assert sum(per_language.values(), Counts()) == sum(sums, Counts())


def test_an_interval_is_over_speakers_and_one_has_none():
    bad = np.zeros((HOPS, 1), np.float32)
    ana, ivo = stream_of(), stream_of(speaker="mine/ivo")
    result = reported(
        "speech", [right_outputs("speech"), right_outputs("speech"), bad], [ana, ana, ivo]
    )
    assert (result["low"], result["high"]) == (0, 1)  # a draw may hold one of them alone
    alone = reported("speech", [right_outputs("speech"), bad], [ana, ana])
    assert (alone["low"], alone["high"]) == (None, None)


@pytest.fixture(scope="module")
def exported_models(tmp_path_factory):
    """Toy streams, two untrained models and their exports."""
    folder = small(tmp_path_factory)
    models, exports = (
        {name: folder / kind / name for name in ("phone", "speech")}
        for kind in ("models", "export")
    )
    return SimpleNamespace(toy=folder / "toy", models=models, exports=exports)


def test_a_report_has_each_model_and_the_speakers(exported_models, tmp_path):
    result = read_json(
        scored(exported_models.toy, tmp_path, exported_models.exports, exported_models.models)
    )
    assert sorted(result["models"]) == ["phone", "speech"]
    table = pd.read_parquet(exported_models.toy / "times.parquet")
    assert (result["streams"], result["speakers"], result["synthetic"]) == (4, 4, True)
    own = evaluation_streams(exported_models.toy / "streams", table[table["part"] == "test"], HOP_S)
    assert result["hops"] == sum(len(stream.frames) for stream in own)
    assert list(result["models"]["phone"]["sources"]) == ["mine", "tts"]


def test_a_pause_belongs_to_what_comes_after_it():
    rows = [("mine", "hr", "a", 0.02, 0.04), ("tts", "en", "s", 0.06, 0.08)]
    columns = ["source", "language", "phone", "start_s", "end_s"]
    table = pd.DataFrame(rows, columns=columns).assign(stream="x", speaker="x", part="test")
    frames = np.zeros((10, BANDS), np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "open_arrays", lambda *_: {"x": frames})
        (stream,) = evaluation_streams(None, table.iloc[::-1], HOP_S)
    assert stream.languages.tolist() == ["hr"] * 4 + ["en"] * 6


def test_mixed_up_models_are_refused(exported_models, tmp_path):
    with pytest.raises(ValueError, match=r"exports of \['phone'\]; run dvc repro"):
        scored(
            exported_models.toy,
            tmp_path,
            {"phone": exported_models.exports["phone"]},
            exported_models.models,
        )
    shutil.copytree(exported_models.models["phone"], tmp_path / "speech")
    with pytest.raises(ValueError, match=r"with the names \['phone', 'phone'\]"):
        scored(
            exported_models.toy,
            tmp_path,
            exported_models.exports,
            exported_models.models | {"speech": tmp_path / "speech"},
        )


def test_a_part_without_a_stream_is_one_clear_sentence(exported_models, tmp_path):
    toy = tmp_path / "toy"
    shutil.copytree(exported_models.toy, toy)
    table = pd.read_parquet(toy / "times.parquet")
    table[table["part"] != "test"].to_parquet(toy / "times.parquet", index=False)
    with pytest.raises(ValueError, match="and 0 of the test part; both are needed"):
        scored(toy, tmp_path, exported_models.exports, exported_models.models)


def test_the_command_reads_its_section_and_its_paths(exported_models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = {"tolerance_s": 0.02, "max_latency_s": 0.2, "resamples": 5, "seed": 1, "digits": 2}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"evaluate_realtime": section}))
    places = [
        str(exported_models.toy / name) for name in ("streams", "times.parquet", "frontend.json")
    ]
    options = ["--exports", *map(str, exported_models.exports.values())]
    options += ["--models", *map(str, exported_models.models.values())]
    monkeypatch.setattr(sys, "argv", ["evaluate_realtime", *places, "out.json", *options])
    stage.main()
    assert read_json(tmp_path / "out.json")["tolerance_ms"] == 20
    write_json(tmp_path / "frontend.json", {"version": 9})
    monkeypatch.setattr(
        sys, "argv", ["evaluate_realtime", *places[:2], "frontend.json", "out.json", *options]
    )
    with pytest.raises(ValueError, match="version 9"):
        stage.main()
